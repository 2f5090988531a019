import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.landmarks.photo_pairs import choose_pairs

CAMERA = Camera(320, 240, 205.0, 205.0, 160.0, 120.0)


@pytest.fixture
def corridor():
    """Photos along x, every 0.1 m, that look at a wall 3 m away; every fifth looks back."""
    poses = np.tile(np.eye(4), (60, 1, 1))
    poses[:, 0, 3] = 0.1 * np.arange(60)
    poses[::5, :3, :3] = np.diag([-1.0, 1.0, -1.0])
    x, y = np.meshgrid(np.linspace(-2, 2, 8), np.linspace(-1.5, 1.5, 6))
    wall = np.stack([x, y, np.full_like(x, 3.0)], axis=-1).reshape(-1, 3)
    points = wall @ np.swapaxes(poses[:, :3, :3], 1, 2) + poses[:, None, :3, 3]
    return poses, points


def test_pairs_look_the_same_way_and_have_parallax_of_every_size(corridor):
    poses, points = corridor
    pairs = choose_pairs(poses, CAMERA, points, budget=10_000)
    a, b = pairs.T
    assert (a < b).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    assert ((a % 5 == 0) == (b % 5 == 0)).all()
    apart = poses[b, 0, 3] - poses[a, 0, 3]
    assert apart.min() < 0.15 and apart.max() > 1.5
    assert apart.max() < 3.5  # beyond, they have little in common


def test_a_small_budget_is_spread_over_photos_and_parallaxes(corridor):
    poses, points = corridor
    pairs = choose_pairs(poses, CAMERA, points, budget=150)
    assert len(pairs) == 150
    assert set(pairs.ravel()) == set(range(60))
    apart = poses[pairs[:, 1], 0, 3] - poses[pairs[:, 0], 0, 3]
    assert (np.histogram(apart, bins=(0, 0.15, 0.45, 0.85, 2.0))[0] > 10).all()


def test_photos_that_look_different_ways_make_no_pairs(corridor):
    poses, points = corridor
    assert choose_pairs(poses[4:6], CAMERA, points[4:6], budget=10).shape == (0, 2)
