"""Frames at equal steps of motion."""

from pathlib import Path

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedFrame, PosedImages
from posemap_ros.dataset.spread import spread_along

CAMERA = Camera(32, 24, 30, 30, 16, 12)


def places(count, poses, distance_m=2.0):
    """Which frames are taken."""
    frames = tuple(PosedFrame(str(i), Path(f'/d/{i}.png'), T) for i, T in enumerate(poses))
    taken = spread_along(PosedImages(Path('/d'), CAMERA, frames), count, distance_m)
    return np.array([int(name) for name in taken.names])


def moving(x, degrees=0.0):
    """Poses at x along a line, turned about z."""
    x, a = np.broadcast_arrays(np.asarray(x, float), np.radians(degrees))
    poses = np.tile(np.eye(4), (len(x), 1, 1))
    poses[:, 0, 3] = x
    poses[:, 0, 0], poses[:, 0, 1] = np.cos(a), -np.sin(a)
    poses[:, 1, 0], poses[:, 1, 1] = np.sin(a), np.cos(a)
    return poses


def test_of_a_steady_drive_every_nth():
    np.testing.assert_array_equal(places(5, moving(0.1 * np.arange(51))), [5, 15, 25, 35, 45])
    chosen = places(20, moving(0.03 * np.arange(100)))
    assert set(np.diff(chosen)) == {5}


def test_where_the_camera_stands_few_are_taken():
    """Although its pose wavers by millimetres; and by hand: 100 of 200 frames move."""
    rng = np.random.default_rng(0)
    still = rng.normal(0, 0.002, 100)
    chosen = places(20, moving([*still, *(0.05 * np.arange(1, 101))]))
    assert (chosen >= 95).sum() >= 19
    between = moving([*(0.05 * np.arange(50)), *(2.45 + still), *(2.5 + 0.05 * np.arange(50))])
    chosen = places(20, between)
    assert ((chosen > 52) & (chosen < 148)).sum() <= 1
    assert (chosen <= 52).sum() == pytest.approx(10, abs=1)


def test_turning_is_motion_as_much_as_a_drive_past_things_at_the_distance():
    """By hand: 1 rad of turn and 2 m at a distance of 2 m are as much, at 4 m twice as much."""
    x = [*np.zeros(100), *np.linspace(0, 2, 100)]
    degrees = [*np.linspace(0, np.degrees(1), 100), *np.full(100, np.degrees(1))]
    assert (places(20, moving(x, degrees)) < 100).sum() == 10
    assert (places(30, moving(x, degrees), 4.0) < 100).sum() == 20


@pytest.mark.parametrize(
    'x', [np.zeros(40), np.random.default_rng(0).permutation(100.0 * np.arange(40))]
)
def test_photos_that_do_not_move_or_in_no_order_are_taken_evenly(x):
    np.testing.assert_allclose(places(8, moving(x)), np.arange(8) * 5 + 2, atol=1)


def test_a_gap_is_no_way():
    """Two drives far apart have as many frames each, whatever lies in between."""
    x = np.concatenate([0.05 * np.arange(60), 500 + 0.05 * np.arange(60)])
    assert (places(20, moving(x)) < 60).sum() == pytest.approx(10, abs=1)


@pytest.mark.parametrize('count', [1, 2, 7, 39, 40, 41])
def test_so_many_are_taken_in_their_order(count):
    rng = np.random.default_rng(count)
    x = np.cumsum(rng.exponential(0.2, 40) * (rng.random(40) < 0.5))
    chosen = places(count, moving(x))
    assert len(chosen) == min(count, 40) and (np.diff(chosen) > 0).all()
