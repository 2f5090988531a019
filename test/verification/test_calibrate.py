"""A room calibrated on its own photos."""

from __future__ import annotations

import numpy as np
import pytest
from mapped_room import look, map_room
from textured_room import drive, write_room

from posemap_ros.localizer import Estimate
from posemap_ros.verification.calibrate import calibrate
from posemap_ros.verification.calibration import Calibration


@pytest.fixture(scope='module')
def room(tmp_path_factory):
    poses = drive(120)[::2]
    return map_room(poses), write_room(tmp_path_factory.mktemp('room') / 'data', poses)


def localizer_of(dataset):
    """An estimate a little off the true pose: the frame is known by its image."""
    frames = {dataset.load(i).tobytes(): i for i in range(len(dataset))}

    def localize(image, camera):
        T = dataset.frames[frames[image.tobytes()]].T_world_cam.copy()
        T[:3, 3] += 0.05
        sigmas = np.repeat((0.05, 0.02), 3)
        return Estimate(T, np.diag(sigmas**2), 0.0, look(image))

    return localize


def test_a_room_with_exact_landmarks_gets_small_spreads_and_low_thresholds(room):
    landmarks, dataset = room
    found = calibrate(landmarks, dataset, localizer_of(dataset))
    assert found != Calibration()
    assert found.floor_m < 0.01
    assert found.support_agreeing < found.support_alone < 16.0


def test_without_the_photos_of_the_map_the_defaults_serve(room, tmp_path):
    landmarks, _ = room
    other = write_room(tmp_path / 'other', drive(30)[1::2])
    assert calibrate(landmarks, other, localizer_of(other)) == Calibration()
