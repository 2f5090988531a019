"""Matches of descriptors, compared with what a plain search finds."""

from __future__ import annotations

import numpy as np

from posemap_ros.verification.matching import match_anywhere, match_nearby

SIZE = (320, 240)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def pairs(found: tuple[np.ndarray, np.ndarray]) -> set[tuple[int, int]]:
    return set(zip(*(index.tolist() for index in found)))


def test_what_is_alike_is_matched_and_the_rest_is_not():
    rng = np.random.default_rng(0)
    landmarks = unit(rng.normal(size=(200, 64)))
    order = rng.permutation(200)[:50]
    strangers = unit(rng.normal(size=(30, 64)))
    seen = unit(landmarks[order] + 0.02 * rng.normal(size=(50, 64)))
    places = rng.normal(size=(200, 3))
    found = match_anywhere(np.concatenate([seen, strangers]), landmarks, places, np.full(200, 0.1))
    assert pairs(found) == set(enumerate(order.tolist()))


def test_a_twin_elsewhere_makes_a_match_ambiguous_a_copy_of_the_same_point_does_not():
    rng = np.random.default_rng(1)
    landmark = unit(rng.normal(size=(1, 64)))
    landmarks = np.concatenate([landmark, landmark, unit(rng.normal(size=(10, 64)))])
    places = rng.normal(size=(12, 3))
    apart = np.full(12, 0.1)
    assert pairs(match_anywhere(landmark, landmarks, places, apart)) == set()
    places[1] = places[0] + 0.01
    assert len(pairs(match_anywhere(landmark, landmarks, places, apart))) == 1


def test_a_landmark_is_used_once():
    rng = np.random.default_rng(2)
    landmarks = unit(rng.normal(size=(20, 64)))
    seen = unit(landmarks[[3, 3]] + np.array([[0.05], [0.01]]) * rng.normal(size=(2, 64)))
    places = rng.normal(size=(20, 3))
    assert pairs(match_anywhere(seen, landmarks, places, np.full(20, 0.1))) == {(1, 3)}


def test_nearby_finds_what_a_plain_search_finds():
    """Twins all over the image, told apart by where they are; radii across the tiles' borders."""
    rng = np.random.default_rng(3)
    kinds = unit(rng.normal(size=(8, 64)))
    projected = np.stack(np.meshgrid(np.arange(10, 320, 22), np.arange(10, 240, 22)), -1)
    projected = projected.reshape(-1, 2) + rng.uniform(-4, 4, (165, 2))
    landmarks = unit(kinds[rng.integers(0, 8, 165)] + 0.02 * rng.normal(size=(165, 64)))
    pixels = projected + rng.uniform(-4, 4, projected.shape)
    seen = unit(landmarks + 0.02 * rng.normal(size=landmarks.shape))
    radii = np.full(165, 6.0)
    expected = set()
    for k in range(165):
        off = np.linalg.norm(projected - pixels[k], axis=1)
        near = np.flatnonzero(off <= radii)
        distance = ((landmarks[near] - seen[k]) ** 2).sum(axis=1)
        if len(near) and distance.min() < 0.4:
            expected.add((k, int(near[distance.argmin()])))
    found = match_nearby(seen, pixels, landmarks, projected, radii, SIZE)
    assert pairs(found) == expected
    assert len(expected) > 150


def test_nothing_is_matched_to_nothing():
    none, some = np.empty((0, 64), np.float32), unit(np.ones((3, 64)))
    places, apart, pixels = np.zeros((3, 3)), np.ones(3), np.zeros((3, 2))
    assert pairs(match_anywhere(none, some, places, apart)) == set()
    assert pairs(match_anywhere(some, none, places[:0], apart[:0])) == set()
    found = match_nearby(none, pixels[:0], some, pixels, np.ones(3), SIZE)
    assert pairs(found) == set()
    assert pairs(match_nearby(some, pixels, none, pixels[:0], np.ones(0), SIZE)) == set()
