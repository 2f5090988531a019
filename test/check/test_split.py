from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textured_room import CAMERA

from posemap_ros.check.expected_accuracy import leave_out_blocks
from posemap_ros.check.split import judge_split, measure_split
from posemap_ros.check.timeline import Timeline
from posemap_ros.dataset import PosedFrame, PosedImages

ROOM = PosedImages(Path('my room'), CAMERA, (PosedFrame('a', Path('my room/a.jpg'), np.eye(4)),))


def straight(count):
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 0, 3] = 0.1 * np.arange(count)
    timeline = Timeline(np.arange(count) / 10, np.arange(count), np.zeros(count, int), False)
    return poses, timeline


def test_distances_are_to_the_nearest_training_frame():
    poses, timeline = straight(30)
    split = measure_split(poses, timeline, range(20), [22, 25])
    np.testing.assert_allclose(split.distance_m, [0.3, 0.6])
    np.testing.assert_allclose(split.turn_deg, 0, atol=1e-6)
    assert split.neighbours == 0
    assert judge_split(split, ROOM).severity == 'ok'
    assert '0.450 m and' in judge_split(split, ROOM).text
    assert '0.450 units and' in judge_split(split, replace(ROOM, metric=False)).text


def test_every_third_frame_is_no_fair_test():
    poses, timeline = straight(30)
    test = range(0, 30, 3)
    split = measure_split(poses, timeline, sorted(set(range(30)) - set(test)), test)
    assert split.neighbours == 1
    finding = judge_split(split, ROOM)
    assert finding.severity == 'warning' and '100 % of them' in finding.text
    assert finding.way_out.endswith("split_dataset --data 'my room' --overwrite")


def test_without_a_split_that_is_said():
    assert 'for training' in judge_split(None, ROOM).text


def test_blocks_that_are_left_out_have_margins():
    order = np.random.default_rng(0).permutation(200)
    known, asked = leave_out_blocks(order)
    place = np.argsort(order)
    apart = np.abs(place[known][:, None] - place[asked])
    assert apart.min() >= 5
    assert len(known) == 100 and len(asked) == pytest.approx(50, abs=5)
