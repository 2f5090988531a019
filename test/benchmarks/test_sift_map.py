"""The reference of bench_peer is a fair one: it finds where photos of a known room were taken."""

import numpy as np
import pytest
import torch
from textured_room import CAMERA, drive, render, write_room

pytest.importorskip('pycolmap')

from benchmarks.sift_map import (  # noqa: E402
    WORDS,
    SiftMap,
    build_sift_map,
    k_means,
    pairs_near_by,
    sift,
    unit_descriptors,
    vlad,
)
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m  # noqa: E402

DRIVE = drive(40)
HELD_OUT = 9


@pytest.fixture(scope='module')
def sift_map(tmp_path_factory):
    """Of every second photo of a drive through the room, written and read."""
    work = tmp_path_factory.mktemp('map')
    made = build_sift_map(write_room(tmp_path_factory.mktemp('room') / 'room', DRIVE[::2]), work)
    made.save(work / 'map.npz')
    return SiftMap.load(work / 'map.npz')


def test_the_points_are_on_the_walls(sift_map):
    half = np.array([2.0, 1.5, 1.25])
    off = np.abs(np.abs(sift_map.points) - half).min(axis=1)
    assert len(sift_map.points) > 500 and np.median(off) < 0.01
    assert sift_map.ends[-1] == len(sift_map.descriptors) == len(sift_map.point_of)
    assert sift_map.point_of.max() < len(sift_map.points)


def test_a_photo_that_is_not_in_the_map_is_found(sift_map):
    T_world_cam, inliers = sift_map.localize(render(DRIVE[HELD_OUT])[0], CAMERA, photos=5)
    assert translation_error_m(T_world_cam, DRIVE[HELD_OUT]) < 0.02
    assert rotation_error_deg(T_world_cam, DRIVE[HELD_OUT]) < 0.3
    assert inliers > 30


def test_a_photo_that_shows_nothing_is_not_found(sift_map):
    assert sift_map.localize(np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8), CAMERA) is None


def test_pairs_look_the_same_way_and_leave_the_nearest_out():
    pairs = pairs_near_by(DRIVE)
    assert all(i < j for i, j in pairs) and len(set(pairs)) == len(pairs)
    angles = [rotation_error_deg(DRIVE[i], DRIVE[j]) for i, j in pairs]
    assert max(angles) <= 60
    standing = np.tile(np.eye(4), (9, 1, 1))
    standing[:, 0, 3] = 0.1 * np.arange(9)
    assert {(0, 1), (0, 5)} <= set(pairs_near_by(standing))
    assert (0, 2) not in pairs_near_by(standing)


def test_vlad_tells_photos_apart():
    """A photo is more like its neighbour in the drive than like one of another wall."""
    photos = [unit_descriptors(sift(render(DRIVE[i])[0])[1]) for i in (0, 1, 20)]
    words = k_means(torch.cat(photos), WORDS)
    first, next_one, other = (vlad(photo, words) for photo in photos)
    assert first @ first == pytest.approx(1.0, abs=1e-5)
    assert first @ next_one > first @ other + 0.1
