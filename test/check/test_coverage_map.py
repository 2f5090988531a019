import numpy as np
import pytest
from textured_room import drive

from posemap_ros.check.coverage_map import judge_coverage, look_from_above


def at(positions):
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    poses[:, :3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # level, z up
    poses[:, :3, 3] = positions
    return poses


def test_a_gap_is_the_shortest_way_between_two_parts():
    near = [(0.1 * i, 0, 0) for i in range(10)]
    far = [(0.9, 1.0 + 0.1 * i, 0) for i in range(10)]
    seen = look_from_above(at(near + far), np.arange(20), depth_m=3.0)
    assert seen.gap_m == pytest.approx(0.4)  # four times the usual step, more than 0.3 m
    assert seen.gaps.tolist() == [[9, 10]]
    finding = judge_coverage(seen)
    assert finding.severity == 'warning' and 'the widest 1.00 m' in finding.text


def test_the_order_of_frames_does_not_matter_for_gaps():
    line = [(0.1 * i, 0, 0) for i in range(40)]
    shuffled = np.random.default_rng(0).permutation(40)
    seen = look_from_above(at(line)[shuffled], np.argsort(shuffled), depth_m=3.0)
    assert len(seen.gaps) == 0
    assert seen.coverage.path_length_m == pytest.approx(3.9)


def test_the_world_is_turned_so_that_z_is_up():
    tilt = np.eye(4)
    tilt[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    upright = look_from_above(drive(60), np.arange(60), 1.5)
    tilted = look_from_above(tilt @ drive(60), np.arange(60), 1.5)
    heights = np.ptp(upright.positions[:, 2]), np.ptp(tilted.positions[:, 2])
    assert heights[1] == pytest.approx(heights[0], rel=0.1)
    assert judge_coverage(upright).severity == 'ok'


def test_one_frame_has_no_gap():
    assert len(look_from_above(at([(0, 0, 0)]), np.arange(1), 1.0).gaps) == 0
