"""Where two rays meet."""

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.two_view.midpoint import distances, unit_rays

CAMERA = Camera(320, 240, 200.0, 210.0, 161.0, 119.0)


def test_rays_are_of_unit_length_and_go_through_their_pixels():
    pixels = np.array([[161.0, 119.0], [10.0, 200.0]])
    rays = unit_rays(pixels, CAMERA)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1.0)
    np.testing.assert_allclose(CAMERA.project(rays), pixels)


def test_rays_that_cross_meet_there():
    point, baseline = np.array([0.4, -0.3, 2.0]), np.array([0.5, 0.1, -0.2])
    to_a, to_b = np.linalg.norm(point), np.linalg.norm(point - baseline)
    found = distances(point / to_a, (point - baseline) / to_b, baseline)
    cosine = point @ (point - baseline) / (to_a * to_b)
    assert found == pytest.approx((to_a, to_b, cosine))


def test_skew_rays_are_nearest_where_their_gap_is_at_right_angles_to_both():
    rng = np.random.default_rng(0)
    rays_a, rays_b, baseline = (rng.normal(size=(50, 3)) for _ in range(3))
    rays_a /= np.linalg.norm(rays_a, axis=1, keepdims=True)
    rays_b /= np.linalg.norm(rays_b, axis=1, keepdims=True)
    along_a, along_b, _ = distances(rays_a, rays_b, baseline)
    gap = baseline + along_b[:, None] * rays_b - along_a[:, None] * rays_a
    np.testing.assert_allclose((gap * rays_a).sum(1), 0.0, atol=1e-9)
    np.testing.assert_allclose((gap * rays_b).sum(1), 0.0, atol=1e-9)


def test_what_is_behind_has_a_negative_distance():
    along_a, along_b, _ = distances(
        np.array([0.0, 0.0, 1.0]), np.array([-0.6, 0.0, -0.8]), np.array([0.6, 0.0, -0.2])
    )
    assert (along_a, along_b) == pytest.approx((-1.0, 1.0))
