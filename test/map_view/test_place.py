"""What is shown of a map of landmarks: where each is, from where it was seen, and no strays."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tiny_environment import tiny_landmarks

from posemap_ros.environment import Environment
from posemap_ros.map_view.place import Place


def test_each_point_is_seen_by_its_photo() -> None:
    landmarks = tiny_landmarks()
    place = Place.from_landmarks(landmarks)
    assert len(place.points) == len(landmarks)
    for point, photo in zip(place.points, place.seen_from):
        T = np.linalg.inv(landmarks.T_world_cam[photo])
        x, y = landmarks.camera.project(T[:3, :3] @ point + T[:3, 3])
        assert 0 < x < landmarks.camera.width and 0 < y < landmarks.camera.height
    np.testing.assert_array_equal(place.seen_from, np.repeat(np.arange(12), 9))


def test_what_no_photo_shows_is_left_out() -> None:
    landmarks = tiny_landmarks()
    kept = landmarks.seen[9:]  # the first photo sees nothing any more
    offsets = np.maximum(landmarks.photo_offsets - 9, 0)
    place = Place.from_landmarks(
        replace(landmarks, seen=kept, seen_points=landmarks.seen_points[9:], photo_offsets=offsets)
    )
    np.testing.assert_array_equal(place.points, landmarks.points[9:])
    assert place.seen_from.min() == 1 and len(place.T_world_cam) == 12


def test_strays_are_left_out() -> None:
    landmarks = tiny_landmarks()
    points = landmarks.points.copy()
    points[5] = (80.0, 0.0, 0.0)
    place = Place.from_landmarks(replace(landmarks, points=points))
    assert len(place.points) == len(points) - 1
    assert np.abs(place.points).max() < 3.1


def test_an_environment_without_landmarks_has_no_place(environment: Path) -> None:
    loaded = Environment.load(environment)
    assert Place.of(loaded) is None
    landmarks = tiny_landmarks()
    with_landmarks = loaded.add_landmarks(landmarks.to_bytes(), {})
    np.testing.assert_array_equal(Place.of(with_landmarks).points, landmarks.points)
