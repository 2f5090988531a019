"""A room calibrated on its own photos."""

from __future__ import annotations

import numpy as np
import pytest
from mapped_room import look, map_room
from textured_room import drive, write_room

from posemap_ros.localizer import Estimate
from posemap_ros.verification.calibrate import _placed_again, calibrate
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


def test_landmarks_are_placed_again_where_the_rays_that_are_left_cross():
    truth = np.array([[0.5, 0.2, 3.0], [1.0, -1.0, 4.0], [0.0, 0.0, 2.0], [0.3, 0.3, 5.0]])
    eyes = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.5]])
    # The first by three eyes, the second by two, the third by none that is left, the last by one.
    seen, eye = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 1, 2, 0, 2, 1])
    # What stands in the map is off, and so is how far along its ray each sighting says it is.
    points = (truth + 0.1).astype(np.float32)
    along = np.array([0.9, 1.05, 1.1, 1.02, 0.93, 1.0])
    ends = eyes[eye] + along[:, None] * (truth[seen] - eyes[eye])
    placed = _placed_again(points, np.array([0, 2, 3]), seen, eyes[eye], ends)
    assert np.allclose(placed[0], truth[0], atol=1e-3)
    assert np.array_equal(placed[1:3], points[1:3])  # not asked for; not seen
    assert np.allclose(placed[3], ends[-1], atol=1e-5)
