"""Views are compared by how far what they see is away, whatever the unit of length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mapped_room import map_room
from textured_room import drive

from posemap_ros.verification.visibility import Visibility


@pytest.fixture(scope='module')
def room():
    return map_room(drive(20)[::4])


def enlarged(landmarks, times):
    T = landmarks.T_world_cam.copy()
    T[:, :3, 3] *= times
    points, seen_points = times * landmarks.points, times * landmarks.seen_points
    return replace(landmarks, points=points, seen_points=seen_points, T_world_cam=T)


def test_lengths_of_rooms_are_as_they_are_and_others_in_proportion(room):
    reach = Visibility(room).reach
    for wanted, scale in [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (20.0, 5.0), (0.25, 0.25)]:
        found = Visibility(enlarged(room, wanted / reach))
        assert found.reach == pytest.approx(wanted, rel=1e-5)
        assert found.scale == pytest.approx(scale, rel=1e-5)


def test_reach_is_the_median_distance_from_which_landmarks_are_seen(room):
    photo = np.repeat(np.arange(len(room.T_world_cam)), np.diff(room.photo_offsets))
    distances = np.linalg.norm(room.T_world_cam[photo, :3, 3] - room.points[room.seen], axis=1)
    assert Visibility(room).reach == pytest.approx(np.median(distances), rel=1e-5)


def test_a_horizon_does_not_count(room):
    far = replace(room, points=room.points.copy())
    far.points[::3] *= 100.0
    far.points[1::3] *= 100.0
    assert Visibility(far).reach < 2.5 * Visibility(room).reach
    assert Visibility(far).scale == pytest.approx(1.0, abs=0.5)


def test_views_differ_by_as_much_in_any_unit(room):
    T = room.T_world_cam[2]
    shift, turn = Visibility(room).apart(T)
    assert shift[2] == 0 and turn[2] == pytest.approx(0, abs=1e-6)
    cosine = [(np.trace(other[:3, :3].T @ T[:3, :3]) - 1) / 2 for other in room.T_world_cam]
    np.testing.assert_allclose(turn, np.arccos(np.clip(cosine, -1, 1)))
    large = enlarged(room, 7.0)
    np.testing.assert_allclose(Visibility(large).apart(large.T_world_cam[2]), (shift, turn), 1e-5)
