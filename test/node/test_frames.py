"""TF maths against values worked out by hand."""

import numpy as np
import pytest

from posemap_ros.node.frames import (
    base_in_map,
    covariance_of_base,
    distance,
    odom_in_map,
)


def yaw(degrees: float, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """A pose turned left about the vertical."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, z], [0, 0, 0, 1.0]])


# A camera 0.2 m in front of the base and 0.5 m above it that looks ahead: optical z is the robot's
# x.
T_BASE_OPTICAL = np.array([[0, 0, 1, 0.2], [-1, 0, 0, 0], [0, -1, 0, 0.5], [0, 0, 0, 1.0]])


def test_base_stands_behind_and_below_the_camera():
    # The camera is at (3, 1, 0.5) and looks along map's +y: so the robot's x is map's y.
    T_map_optical = np.array([[1, 0, 0, 3], [0, 0, 1, 1], [0, -1, 0, 0.5], [0, 0, 0, 1.0]])
    expected = yaw(90, 3, 0.8, 0)
    np.testing.assert_allclose(base_in_map(T_map_optical, T_BASE_OPTICAL), expected, atol=1e-12)


def test_odometry_that_started_at_the_maps_origin_needs_no_correction():
    T = yaw(40, 2, 1)
    np.testing.assert_allclose(odom_in_map(T, T), np.eye(4), atol=1e-12)


def test_odometry_that_started_turned():
    # It drove 2 m ahead from where it started, (1, 0) with 90 degrees: it stands at (1, 2).
    T_map_odom = odom_in_map(yaw(90, 1, 2), yaw(0, 2, 0))
    np.testing.assert_allclose(T_map_odom, yaw(90, 1, 0), atol=1e-12)


def test_distance():
    metres, degrees = distance(yaw(10, 0, 3), yaw(-20, 4, 0))
    assert metres == pytest.approx(5)
    assert degrees == pytest.approx(30)


def test_covariance_of_the_base_has_the_levers_part():
    # The base is 2 m behind the camera, along map's x: an angular error about z moves it along y.
    T_base_cam = yaw(0, 2)
    covariance = np.diag([0.01, 0.02, 0.03, 0, 0, 0.04])
    out = covariance_of_base(covariance, yaw(0, 5), T_base_cam)
    np.testing.assert_allclose(np.diagonal(out), [0.01, 0.02 + 4 * 0.04, 0.03, 0, 0, 0.04])
    # Turned left, the base behind the camera goes to the right: y falls.
    assert out[1, 5] == pytest.approx(-2 * 0.04)


def test_covariance_of_the_base_agrees_with_samples():
    rng = np.random.default_rng(0)
    T_map_cam, T_base_cam = yaw(70, 1, 2, 3) @ T_BASE_OPTICAL, yaw(20, 0.3, 0.1) @ T_BASE_OPTICAL
    A = rng.normal(size=(6, 6)) * 1e-3
    covariance = A @ A.T
    noise = rng.multivariate_normal(np.zeros(6), covariance, size=20_000)
    base = base_in_map(T_map_cam, T_base_cam)[:3, 3]
    lever = base - T_map_cam[:3, 3]
    moved = noise[:, :3] + np.cross(noise[:, 3:], lever)
    sampled = np.cov(np.hstack([moved, noise[:, 3:]]).T)
    np.testing.assert_allclose(
        covariance_of_base(covariance, T_map_cam, T_base_cam), sampled, atol=0.03 * sampled.max()
    )
