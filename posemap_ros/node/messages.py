"""Messages from arrays: poses and transforms from 4x4 matrices, images from pixels.

Rotations pass through transforms3d, whose quaternions are (w, x, y, z); those of ROS are (x, y, z,
w).
"""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    PoseWithCovarianceStamped,
    Quaternion,
    Transform,
    TransformStamped,
    Vector3,
)
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from transforms3d.quaternions import mat2quat, quat2mat

# What robot_localization and rtabmap take for "nothing is known" (1e308 overflows in filters).
LOST_COVARIANCE = 9999.0 * np.eye(6)
# A variance of zero tells a filter that the pose is perfect.
_SMALLEST_VARIANCE = 1e-9
# Of a squared quaternion, as tf2 has it.
_UNIT_TOLERANCE = 0.01
# A quarter of the way around the Earth: no transform of a robot is longer.
_FARTHEST_METRES = 1e7


class InvalidTransform(ValueError):
    """A transform message that is no rigid transform."""


def is_pose(T: np.ndarray) -> bool:
    """Whether T [4, 4] can be sent: receivers drop NaN and quaternions of length zero silently."""
    if not np.all(np.isfinite(T)):
        return False
    R = T[:3, :3]
    return bool(np.allclose(R @ R.T, np.eye(3), atol=1e-3) and np.linalg.det(R) > 0)


def pose(T: np.ndarray) -> Pose:
    """The pose of b in a, from ``T_a_b``."""
    x, y, z = map(float, T[:3, 3])
    return Pose(position=Point(x=x, y=y, z=z), orientation=_quaternion(T))


def pose_stamped(T: np.ndarray, frame: str, stamp: Time) -> PoseStamped:
    """The pose in `frame`."""
    return PoseStamped(header=Header(frame_id=frame, stamp=stamp), pose=pose(T))


def pose_with_covariance(
    T: np.ndarray, covariance: np.ndarray, frame: str, stamp: Time
) -> PoseWithCovarianceStamped:
    """The pose in `frame`; covariance [6, 6] as REP-103 orders it."""
    message = PoseWithCovarianceStamped(header=Header(frame_id=frame, stamp=stamp))
    message.pose.pose = pose(T)
    covariance = (covariance + covariance.T) / 2
    covariance[np.diag_indices(6)] = np.maximum(np.diagonal(covariance), _SMALLEST_VARIANCE)
    message.pose.covariance = covariance.ravel().astype(float).tolist()
    return message


def transform_stamped(T: np.ndarray, parent: str, child: str, stamp: Time) -> TransformStamped:
    """The transform that places `child` in `parent`."""
    x, y, z = map(float, T[:3, 3])
    return TransformStamped(
        header=Header(frame_id=parent, stamp=stamp),
        child_frame_id=child,
        transform=Transform(translation=Vector3(x=x, y=y, z=z), rotation=_quaternion(T)),
    )


def matrix(transform: Transform) -> np.ndarray:
    """[4, 4] float64 of a transform message.

    Raises `InvalidTransform` for what places nothing anywhere: poses that follow from it would be
    NaN, or of no use.
    """
    t, q = transform.translation, transform.rotation
    translation, quaternion = np.array([t.x, t.y, t.z]), np.array([q.w, q.x, q.y, q.z])
    if not np.all(np.abs(translation) <= _FARTHEST_METRES):  # false for NaN, too
        raise InvalidTransform(
            f'a transform has the translation ({t.x:g}, {t.y:g}, {t.z:g}), which is not finite or '
            f'farther than {_FARTHEST_METRES:g} m'
        )
    with np.errstate(over='ignore'):
        if not abs(np.sum(quaternion**2) - 1) <= _UNIT_TOLERANCE:
            raise InvalidTransform(
                f'a transform has the quaternion ({q.x:g}, {q.y:g}, {q.z:g}, {q.w:g}), which is '
                'not of length one'
            )
    T = np.eye(4)
    T[:3, :3] = quat2mat(quaternion)
    T[:3, 3] = translation
    return T


def nanoseconds(stamp: Time) -> int:
    """A stamp in nanoseconds; negative where it is, for which rclpy's own Time raises."""
    return stamp.sec * 10**9 + stamp.nanosec


def rgb_image(pixels: np.ndarray, header: Header) -> Image:
    """An rgb8 message of uint8 pixels [height, width, 3]."""
    height, width, _ = pixels.shape
    message = Image(header=header, height=height, width=width, encoding='rgb8', step=3 * width)
    message.data = np.ascontiguousarray(pixels).tobytes()
    return message


def _quaternion(T: np.ndarray) -> Quaternion:
    w, x, y, z = map(float, mat2quat(T[:3, :3]))
    return Quaternion(x=x, y=y, z=z, w=w)
