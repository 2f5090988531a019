"""What a floor makes of poses."""

import cv2
import numpy as np
import pytest
from fixes import fix

from posemap_ros.node.fix import Fix
from posemap_ros.node.floor import Floor, Planar
from posemap_ros.node.frames import camera_in_map
from posemap_ros.rigid import invert

RNG = np.random.default_rng(0)
# The camera looks ahead and a little down, from a mast.
T_BASE_CAM = np.array([[0, -0.2, 0.98, 0.3], [-1, 0, 0, 0.1], [0, -0.98, -0.2, 1.2], [0, 0, 0, 1]])
T_BASE_CAM[:3, :3] = np.linalg.qr(T_BASE_CAM[:3, :3])[0] * [-1, -1, 1]
# The map leans, and the floor is not at its zero.
T_MAP_FLOOR = np.eye(4)
T_MAP_FLOOR[:3, :3] = cv2.Rodrigues(np.array([0.1, -0.2, 0.4]))[0]
T_MAP_FLOOR[:3, 3] = 1.0, -2.0, 0.7


def turned(rotation: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.asarray(rotation, float))[0]
    return T


def on_the_floor(x: float, y: float, heading: float) -> np.ndarray:
    T = turned([0, 0, heading])
    T[:2, 3] = x, y
    return T_MAP_FLOOR @ T


def drive(count: int = 200, height_m: float = 0.0, tilt_rad: float = 0.0) -> np.ndarray:
    """Poses all over the floor, off it by so much."""
    poses = []
    for x, y, heading in RNG.uniform(-3, 3, (count, 3)):
        T = on_the_floor(x, y, heading)
        T[:3, 3] += height_m * RNG.normal() * T[:3, 2]
        poses.append(T @ turned([*(tilt_rad * RNG.normal(size=2)), 0]))
    return np.stack(poses)


def test_it_is_found_though_the_map_leans_and_some_poses_are_wrong():
    poses = drive(height_m=0.02, tilt_rad=np.radians(1))
    poses[:20, :3, 3] += 0.5
    floor = Floor.of(poses)
    np.testing.assert_allclose(floor.up, T_MAP_FLOOR[:3, 2], atol=2e-3)
    assert floor.height == pytest.approx(T_MAP_FLOOR[:3, 3] @ floor.up, abs=5e-3)
    assert floor.sigma_m == pytest.approx(0.02, rel=0.25)
    assert floor.sigma_rad == pytest.approx(np.radians(1), rel=0.25)
    assert not floor.objection


def test_a_staircase_is_none():
    assert 'not on one level' in Floor.of(drive(height_m=0.5)).objection
    assert 'not on one level' in Floor.of(drive(tilt_rad=0.2)).objection
    flat = Floor.of(drive(3))  # never surer than a real floor is
    assert flat.sigma_m >= 0.005 and flat.sigma_rad >= np.radians(0.25)


def test_a_pose_on_the_floor_stays_and_one_off_it_comes_down_to_it():
    floor = Floor.of(drive())
    T = on_the_floor(0.5, -1.0, 2.0)
    np.testing.assert_allclose(floor.settled(fix(T)).T_map_base, T, atol=1e-9)
    # With errors that are independent, heading and place on the floor are what they were.
    off = T.copy()
    off[:3, 3] += 0.3 * floor.up
    off = off @ turned([0.1, 0.0, 0.0])
    np.testing.assert_allclose(floor.settled(fix(off)).T_map_base, T, atol=1e-9)
    assert not floor.doubt(fix(T)) and not floor.doubt(fix(off, sigma=(0.1, 3.0)))
    assert '0.30 m and 5.7 deg off' in floor.doubt(fix(off, sigma=(0.01, 0.3)))


def test_any_pose_ends_on_the_floor():
    floor = Floor.of(drive())
    for rotation in ([np.pi, 0, 0], [0, 2.5, 1.0], [1.0, 1.0, 1.0]):
        T = floor.settled(fix(turned(rotation))).T_map_base
        np.testing.assert_allclose(T[:3, 2], floor.up, atol=1e-9)
        np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)
        assert T[:3, 3] @ floor.up == pytest.approx(floor.height)


def test_errors_become_smaller_and_as_large_as_the_covariance_says():
    """Robots on a floor that is a little uneven, seen with errors of a covariance in which
    everything goes with everything.
    """
    floor = Floor.of(drive(2000, height_m=0.01, tilt_rad=0.005))
    root = RNG.normal(size=(6, 6)) * np.repeat([0.03, 0.008], 3)[:, None]
    C = root @ root.T
    before, after, distances = [], [], []
    for T in drive(1000, height_m=0.01, tilt_rad=0.005):
        error = root @ RNG.normal(size=6)
        seen = turned(error[3:]) @ T
        seen[:3, 3] = T[:3, 3] + error[:3]
        settled = floor.settled(Fix(0.0, seen, C, None))
        turn = cv2.Rodrigues(settled.T_map_base[:3, :3] @ T[:3, :3].T)[0].ravel()
        step = np.concatenate([settled.T_map_base[:3, 3] - T[:3, 3], turn])
        before.append(error)
        after.append(step)
        distances.append(step @ np.linalg.solve(settled.covariance, step))
    before, after = np.square(before), np.square(after)
    assert after[:, :3].sum() < 0.8 * before[:, :3].sum()
    assert after[:, 3:].sum() < 0.8 * before[:, 3:].sum()
    assert np.mean(distances) == pytest.approx(6.0, rel=0.1)  # of chi squared
    height = floor.settled(Fix(0.0, seen, C, None)).covariance[:3, :3]
    assert floor.up @ height @ floor.up == pytest.approx(floor.sigma_m**2)


def test_the_floor_is_that_of_the_robot_on_which_the_camera_is_mounted():
    bases = drive(50)
    planar = Planar(camera_in_map(bases, T_BASE_CAM))
    off = bases[0] @ turned([0.02, 0.01, 0.0])
    settled, doubt = planar.settled(fix(off), T_BASE_CAM)
    np.testing.assert_allclose(settled.T_map_base, bases[0], atol=1e-3)
    assert not doubt
    # As if TF forgot that the camera looks down.
    leaning = T_BASE_CAM @ turned([0.3, 0, 0])
    pose = camera_in_map(bases[0], T_BASE_CAM) @ invert(leaning)
    settled, doubt = planar.settled(fix(pose), leaning)
    assert 'planar has no effect' in doubt
    np.testing.assert_array_equal(settled.T_map_base, pose)
