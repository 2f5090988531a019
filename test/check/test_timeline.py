from pathlib import Path

import numpy as np
import pytest
from textured_room import CAMERA, drive

from posemap_ros.check.timeline import timeline_of
from posemap_ros.dataset import PosedFrame, PosedImages


def dataset(names, stamps, poses):
    frames = (
        PosedFrame(name, Path(f'/d/{name}.jpg'), T, None if stamp is None else round(stamp * 1e9))
        for name, stamp, T in zip(names, stamps, poses)
    )
    return PosedImages(Path('/d'), CAMERA, tuple(frames))


@pytest.fixture
def two_drives():
    """Frames of two drives, of which the second is listed out of order."""
    names = ['a/0', 'a/1', 'a/2', 'b/2', 'b/0', 'b/1']
    return dataset(names, [5.0, 5.1, 5.2, 9.4, 9.0, 9.2], drive(6))


def test_frames_follow_each_other_within_their_drive(two_drives):
    timeline = timeline_of(two_drives)
    assert not timeline.assumed
    assert [timeline.follow(i, 1) for i in range(6)] == [1, 2, None, None, 5, 3]
    assert [timeline.follow(i, -1) for i in range(6)] == [None, 0, 1, 5, None, 4]
    assert timeline.follow(4, 2) == 3


def test_a_later_pose_is_between_the_neighbours(two_drives):
    timeline, poses = timeline_of(two_drives), two_drives.poses
    later, known = timeline.shifted(poses, np.array([0, 4]), 0.05)
    assert known.all()
    np.testing.assert_allclose(later[0, :3, 3], (poses[0] + poses[1])[:3, 3] / 2, atol=1e-4)
    np.testing.assert_allclose(
        later[1, :3, 3], 0.75 * poses[4, :3, 3] + 0.25 * poses[5, :3, 3], atol=1e-4
    )
    R = later[:, :3, :3]
    np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), np.tile(np.eye(3), (2, 1, 1)), atol=1e-12)


def test_beyond_a_drive_poses_are_not_known(two_drives):
    _, known = timeline_of(two_drives).shifted(two_drives.poses, np.arange(6), 0.15)
    assert known.tolist() == [True, False, False, False, True, True]


def test_without_stamps_frames_are_taken_to_come_at_30_hz():
    timeline = timeline_of(dataset(['0', '1', '2'], [None, 1.0, 2.0], drive(3)))
    assert timeline.assumed
    assert timeline.frame_s == pytest.approx(1 / 30, abs=1e-5)


def test_frames_with_one_stamp_do_not_divide_by_zero():
    twice = dataset(['0', '1', '2'], [1.0, 1.0, 1.5], drive(3))
    later, known = timeline_of(twice).shifted(twice.poses, np.arange(3), 0.1)
    assert np.isfinite(later).all() and known.tolist() == [True, True, False]
