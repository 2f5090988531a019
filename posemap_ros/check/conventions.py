"""The ways in which people write a camera's pose, other than T_world_cam with OpenCV's axes.

Each says how poses written its way, and read as if they were ours, become right. How the world's
axes lie makes no difference to what a camera sees, so it cannot be tested, and need not be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from posemap_ros.dataset.pose_matrix import pose_from_quaternion
from posemap_ros.rigid import invert


@dataclass(frozen=True)
class Convention:
    """A way to write poses.

    Attributes:
        name: completes "the poses are ...".
        formula: the right pose T_world_cam from T, the pose as it was read.
        correct: does that for poses [n, 4, 4].
        frame: whose poses they are, where that is not the one they were extracted for.
    """

    name: str
    formula: str
    correct: Callable[[np.ndarray], np.ndarray]
    frame: str = ''


def _turned(columns: list[tuple[int, int, int]]) -> Callable[[np.ndarray], np.ndarray]:
    """Multiply from the right by a rotation of the camera's axes."""
    turn = np.eye(4)
    turn[:3, :3] = np.array(columns, float).T
    return lambda T: T @ turn


_FLIP_YZ = _turned([(1, 0, 0), (0, -1, 0), (0, 0, -1)])
# The optical axes x right, y down, z forward in a body's axes x forward, y left, z up.
_BODY_TO_OPTICAL = _turned([(0, -1, 0), (0, 0, -1), (1, 0, 0)])
_FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])


def _with(T: np.ndarray, R: np.ndarray | None = None, t: np.ndarray | None = None) -> np.ndarray:
    T = T.copy()
    if R is not None:
        T[:, :3, :3] = R
    if t is not None:
        T[:, :3, 3:] = t
    return T


def _transposed(T: np.ndarray) -> np.ndarray:
    return np.swapaxes(T[:, :3, :3], 1, 2)


def _quaternion_rolled(by: int) -> Callable[[np.ndarray], np.ndarray]:
    """Rotations whose quaternion's four numbers were read in another order."""

    def correct(T: np.ndarray) -> np.ndarray:
        rolled = np.roll(_quaternions(T), by, axis=1)
        return np.stack(
            [pose_from_quaternion(pose[:3, 3], q, 'pose') for pose, q in zip(T, rolled)]
        )

    return correct


def _quaternions(T: np.ndarray) -> np.ndarray:
    """x, y, z, w of the rotations: the main eigenvector of a symmetric matrix (Bar-Itzhack, 2000).

    Of either sign: both are the same rotation, also after their numbers are reordered.
    """
    R = T[:, :3, :3]
    K = np.empty((len(T), 4, 4))
    K[:, :3, :3] = R + np.swapaxes(R, 1, 2)
    K[:, :3, :3] -= np.trace(R, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    K[:, :3, 3] = K[:, 3, :3] = np.stack(
        [R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], axis=1
    )
    K[:, 3, 3] = np.trace(R, axis1=1, axis2=2)
    return np.linalg.eigh(K)[1][..., -1]


AS_GIVEN = Convention('camera-to-world with OpenCV axes, as they should be', 'T', lambda T: T)
CONVENTIONS = (
    AS_GIVEN,
    Convention('inverted: world-to-camera instead of camera-to-world', 'inv(T)', invert),
    Convention(
        'in the other of the OpenCV and OpenGL axes: y and z are flipped',
        'T @ diag(1, -1, -1, 1)',
        _FLIP_YZ,
    ),
    Convention(
        'inverted, and y and z are flipped: world-to-camera with OpenGL axes',
        'inv(T) @ diag(1, -1, -1, 1)',
        lambda T: _FLIP_YZ(invert(T)),
    ),
    Convention(
        "in a body's axes (x forward, y left, z up), not the camera's optical ones",
        'T @ [[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]',
        _BODY_TO_OPTICAL,
    ),
    Convention(
        "inverted, and in a body's axes (x forward, y left, z up)",
        'inv(T) @ [[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]',
        lambda T: _BODY_TO_OPTICAL(invert(T)),
    ),
    Convention(
        'in left-handed axes, y up (Unity)',
        'diag(1, -1, 1, 1) @ T @ diag(1, -1, 1, 1)',
        lambda T: _FLIP_Y @ T @ _FLIP_Y,
    ),
    Convention(
        'of a camera that is upside down, or whose images are',
        'T @ diag(-1, -1, 1, 1)',
        _turned([(-1, 0, 0), (0, -1, 0), (0, 0, 1)]),
    ),
    Convention(
        'of images that are turned counter-clockwise by 90 degrees',
        'T @ [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]',
        _turned([(0, 1, 0), (-1, 0, 0), (0, 0, 1)]),
    ),
    Convention(
        'of images that are turned clockwise by 90 degrees',
        'T @ [[0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]',
        _turned([(0, -1, 0), (1, 0, 0), (0, 0, 1)]),
    ),
    Convention(
        "half inverted: the rotation is world-to-camera, the position is the camera's",
        '[R^T, t]',
        lambda T: _with(T, R=_transposed(T)),
    ),
    Convention(
        'half inverted: the rotation is camera-to-world, the translation is not',
        '[R, -R t]',
        lambda T: _with(T, t=-T[:, :3, :3] @ T[:, :3, 3:]),
    ),
    Convention(
        'of quaternions w, x, y, z that were read as x, y, z, w',
        'quaternion (q[1], q[2], q[3], q[0])',
        _quaternion_rolled(-1),
    ),
    Convention(
        'of quaternions x, y, z, w that were read as w, x, y, z',
        'quaternion (q[3], q[0], q[1], q[2])',
        _quaternion_rolled(1),
    ),
)
