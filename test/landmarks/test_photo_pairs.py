import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.landmarks.photo_pairs import choose_pairs, in_common
from posemap_ros.rigid import invert

CAMERA = Camera(320, 240, 205.0, 205.0, 160.0, 120.0)
u, v = np.meshgrid((np.arange(8) + 0.5) / 8 * 320, (np.arange(6) + 0.5) / 6 * 240)
RAYS = np.stack([(u - 160) / 205, (v - 120) / 205, np.ones_like(u)], axis=-1)  # [6, 8, 3]


@pytest.fixture
def corridor():
    """Photos along x, every 0.1 m, that look at a wall 3 m away; every fifth looks back."""
    poses = np.tile(np.eye(4), (60, 1, 1))
    poses[:, 0, 3] = 0.1 * np.arange(60)
    poses[::5, :3, :3] = np.diag([-1.0, 1.0, -1.0])
    points = 3.0 * RAYS @ np.swapaxes(poses[:, None, :3, :3], 2, 3) + poses[:, None, None, :3, 3]
    return poses, points


def looking_along_z(*centres) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(centres), 1, 1))
    poses[:, :3, 3] = centres
    return poses


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


def test_a_photo_from_far_behind_is_no_partner():
    """It sees all that the others see, in a small part of its image."""
    poses = looking_along_z((0, 0, 0), (0.3, 0, 0), (0.5, 0, -15))
    points = (3.0 - poses[:, 2, 3])[:, None, None, None] * RAYS + poses[:, None, None, :3, 3]
    shares, _ = in_common(0, points[0].reshape(-1, 3), poses, invert(poses), CAMERA)
    assert shares[2] == 1.0
    assert choose_pairs(poses, CAMERA, points, budget=10).tolist() == [[0, 1]]


def test_photos_on_both_sides_of_a_wall_are_no_partners():
    """Two along each face of a wall from x = -0.2 to 0.2 that ends at z = 5; they see that, and
    their side of what is there.
    """
    poses = looking_along_z((-0.5, 0, 0), (-0.6, 0, 0), (0.5, 0, 0), (0.6, 0, 0))
    to_face = 0.2 * np.sign(poses[:, 0, 3]) - poses[:, 0, 3]
    with np.errstate(divide='ignore'):
        depths = to_face[:, None, None] / RAYS[..., 0]
    depths = np.where((depths > 0) & (depths < 5), depths, 5)
    points = depths[..., None] * RAYS + poses[:, None, None, :3, 3]
    glass = [
        in_common(i, points[i].reshape(-1, 3), poses, invert(poses), CAMERA)[0] for i in (0, 2)
    ]
    assert glass[0][2] > 0.5 and glass[1][0] > 0.5
    assert choose_pairs(poses, CAMERA, points, budget=10).tolist() == [[0, 1], [2, 3]]
