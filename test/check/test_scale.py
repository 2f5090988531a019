from dataclasses import replace

import numpy as np
import pytest
from textured_room import CAMERA, drive, render

from posemap_ros.check.scale import judge_scale, measure_scale


@pytest.fixture(scope='module')
def fit(room):
    return room.fit()


def scaled(room, fit, factor):
    poses = drive(60)
    poses[:, :3, 3] *= factor
    grown = [T.copy() for T in (fit.T_world_a, fit.T_world_b)]
    for T in grown:
        T[:, :3, 3] *= factor
    fit = replace(fit, T_world_a=grown[0], T_world_b=grown[1])
    return measure_scale(poses, room.pairs, fit, room.timeline)


def test_depths_are_those_of_the_room(room, fit):
    scale = scaled(room, fit, 1.0)
    true = [
        render(room.dataset.poses[a])[1][int(v), int(u)]
        for a, points in list(zip(room.pairs.a, room.pairs.points_a))[::20]
        for u, v in points[::5] * (CAMERA.width / room.matcher.camera.width)
    ]
    assert scale.in_front > 0.98
    assert scale.depth_m == pytest.approx(np.median(true), rel=0.1)
    assert len(scale.speeds_m_s) == 59
    assert judge_scale(scale, room.timeline, room.dataset.root).severity == 'ok'


@pytest.mark.parametrize(('factor', 'unit'), [(1000.0, 'millimetres'), (0.001, 'kilometres')])
def test_another_unit_is_a_fault_and_is_guessed(room, fit, factor, unit):
    finding = judge_scale(scaled(room, fit, factor), room.timeline, room.dataset.root)
    assert finding.severity == 'fault'
    assert unit in finding.way_out


def test_positions_of_the_wrong_sign_put_the_scene_behind_the_camera(room, fit):
    scale = scaled(room, fit, -1.0)
    assert scale.in_front < 0.02
    finding = judge_scale(scale, room.timeline, room.dataset.root)
    assert finding.severity == 'fault' and 'behind the camera' in finding.text


def test_a_camera_that_only_turned_has_no_scale(room, fit):
    finding = judge_scale(scaled(room, fit, 0.0), room.timeline, room.dataset.root)
    assert finding.severity == 'warning' and 'moved too little' in finding.text


def test_a_scale_that_is_called_arbitrary_is_no_scale(room, fit):
    scale = measure_scale(drive(60), room.pairs, fit, room.timeline, metric=False)
    finding = judge_scale(scale, room.timeline, room.dataset.root)
    assert finding.severity == 'warning' and 'arbitrary' in finding.text
    assert 'rescale_dataset --data' in finding.way_out
