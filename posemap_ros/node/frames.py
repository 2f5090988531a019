"""Which transform the node broadcasts, and how it follows from a camera pose. No ROS in here.

``T_a_b`` is a 4x4 matrix that takes points in frame b to frame a: the pose of b in a.
"""

from __future__ import annotations

from enum import Enum

import numpy as np

from posemap_ros.rigid import invert


class TfMode(str, Enum):
    """What is broadcast on /tf.

    A frame has one parent only. Odometry owns base's and the robot's description owns the
    camera's, so on a robot with odometry a localizer may only place the root of odometry's tree,
    odom, in the map (REP-105). One broadcast of map->camera would cut the camera off from the
    robot, for everyone.
    """

    MAP_TO_ODOM = 'map_to_odom'
    MAP_TO_BASE = 'map_to_base'
    MAP_TO_CAMERA = 'map_to_camera'
    NONE = 'none'


def base_in_map(T_map_cam: np.ndarray, T_base_cam: np.ndarray) -> np.ndarray:
    """Where the robot is, from where its camera is and how that is mounted."""
    return T_map_cam @ invert(T_base_cam)


def camera_in_map(T_map_base: np.ndarray, T_base_cam: np.ndarray) -> np.ndarray:
    """Where the camera is, from where the robot is: inverse of `base_in_map`."""
    return T_map_base @ T_base_cam


def odom_in_map(T_map_base: np.ndarray, T_odom_base: np.ndarray) -> np.ndarray:
    """Where odometry started, from where the robot is and where odometry says it is.

    Both at the same time: with the latest odometry instead of that at the image's stamp, the
    correction would be wrong by the way gone since.
    """
    return T_map_base @ invert(T_odom_base)


def covariance_of_base(
    covariance: np.ndarray, T_map_cam: np.ndarray, T_base_cam: np.ndarray
) -> np.ndarray:
    """Covariance [6, 6] of the robot's pose from that of its camera's.

    Both are of x, y, z and the rotations about x, y, z, in the fixed axes of the map.

    The angular error is the same; the lever from camera to base turns it into one of position:
    d(base) = d(camera) + rotation x lever.
    """
    x, y, z = base_in_map(T_map_cam, T_base_cam)[:3, 3] - T_map_cam[:3, 3]
    J = np.eye(6)
    J[:3, 3:] = [[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]
    return J @ covariance @ J.T


def distance(T_a: np.ndarray, T_b: np.ndarray) -> tuple[float, float]:
    """Between two poses: metres, and degrees."""
    cosine = (np.trace(T_a[:3, :3].T @ T_b[:3, :3]) - 1) / 2
    return (
        float(np.linalg.norm(T_a[:3, 3] - T_b[:3, 3])),
        float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
    )
