"""What is written reads back as the same poses at the same times."""

import numpy as np
import pytest
from tiny_environment import circle_of_poses

from posemap_ros.dataset.pose_matrix import pose_from_quaternion
from posemap_ros.evaluation.tum_format import tells_time, write_tum

POSES = circle_of_poses(7)
STAMPS = [1_700_000_000_000_000_001 + 33_333_333 * i for i in range(7)]


def read(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith('#')
    rows = [line.split() for line in lines[1:]]
    poses = [
        pose_from_quaternion([float(v) for v in row[1:4]], [float(v) for v in row[4:]], row[0])
        for row in rows
    ]
    return [row[0] for row in rows], np.stack(poses)


def test_poses_and_nanoseconds_survive(tmp_path):
    write_tum(tmp_path / 'a.tum', POSES, STAMPS)
    times, poses = read(tmp_path / 'a.tum')
    assert [int(time.replace('.', '')) for time in times] == STAMPS
    np.testing.assert_allclose(poses, POSES, atol=3e-9)


def test_a_line_by_hand(tmp_path):
    # A quarter turn about z: the quaternion is (0, 0, sin 45, cos 45).
    pose = np.eye(4)
    pose[:3] = [[0, -1, 0, 1.5], [1, 0, 0, -2], [0, 0, 1, 0.25]]
    write_tum(tmp_path / 'a.tum', pose[None], [5_000_000_007])
    assert (tmp_path / 'a.tum').read_text().splitlines()[1] == (
        '5.000000007 1.500000000 -2.000000000 0.250000000 '
        '0.000000000 0.000000000 0.707106781 0.707106781'
    )


def test_poses_are_put_in_order_of_time(tmp_path):
    write_tum(tmp_path / 'a.tum', POSES[::-1], STAMPS[::-1])
    write_tum(tmp_path / 'b.tum', POSES, STAMPS)
    assert (tmp_path / 'a.tum').read_text() == (tmp_path / 'b.tum').read_text()


@pytest.mark.parametrize('stamps', [[None] * 7, [*STAMPS[:6], None], [*STAMPS[:6], STAMPS[0]]])
def test_stamps_that_do_not_tell_time_give_way_to_the_index(tmp_path, stamps):
    assert not tells_time(stamps)
    write_tum(tmp_path / 'a.tum', POSES, stamps)
    times, poses = read(tmp_path / 'a.tum')
    assert times == list('0123456')
    np.testing.assert_allclose(poses, POSES, atol=3e-9)
