"""Is this matrix the pose of a camera? If not, the sentence that says why."""

from __future__ import annotations

import numpy as np

from posemap_ros.dataset.errors import DatasetError

# Rotations that went through a few digits of text are off by less, wrong ones by more.
_TOLERANCE = 0.02


def checked_pose(matrix: object, name: str) -> np.ndarray:
    """The pose [4, 4] float64, its rotation exact.

    A rotation that is off by rounding is projected onto the nearest one. Raises `DatasetError`,
    beginning with `name`, for anything that is not a pose.
    """
    try:
        T = np.array(matrix, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DatasetError(f'{name}: the pose is not a matrix of numbers') from None
    if T.shape != (4, 4):
        raise DatasetError(f'{name}: the pose must be a 4x4 matrix, not of shape {T.shape}')
    if not np.isfinite(T).all():
        raise DatasetError(f'{name}: the pose holds NaN or infinite numbers')
    if np.abs(T[3] - (0, 0, 0, 1)).max() > 1e-6:
        raise DatasetError(
            f'{name}: the last row of the pose is {_numbers(T[3])} instead of 0 0 0 1'
            + ('; is the matrix transposed?' if np.allclose(T[:, 3], (0, 0, 0, 1)) else '')
        )
    T[:3, :3] = _checked_rotation(T[:3, :3], name)
    T[3] = (0, 0, 0, 1)
    return T


def pose_from_quaternion(position: object, xyzw: object, name: str) -> np.ndarray:
    """The pose [4, 4] float64 of a position [3] and a quaternion [4] in ROS's order x, y, z, w.

    Raises `DatasetError`, beginning with `name`.
    """
    t, q = np.asarray(position, np.float64), np.asarray(xyzw, np.float64)
    if not (np.isfinite(t).all() and np.isfinite(q).all()):
        raise DatasetError(f'{name}: the pose holds NaN or infinite numbers')
    norm = np.linalg.norm(q)
    if abs(norm - 1) > _TOLERANCE:
        raise DatasetError(
            f'{name}: the quaternion {_numbers(q)} has length {norm:.3g} instead of 1'
        )
    x, y, z, w = q / norm
    T = np.eye(4)
    T[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, 3] = t
    return T


def _checked_rotation(R: np.ndarray, name: str) -> np.ndarray:
    scale = np.cbrt(np.linalg.det(R))
    U, singular, Vt = np.linalg.svd(R)
    if singular.max() - singular.min() > _TOLERANCE * max(singular.max(), 1.0):
        raise DatasetError(
            f'{name}: the rotation is not one: it stretches directions by {_numbers(singular)}'
        )
    if abs(abs(scale) - 1) > _TOLERANCE:
        raise DatasetError(
            f'{name}: the rotation is scaled by {abs(scale):.3g}; poses must be metric and rigid'
        )
    if scale < 0:
        raise DatasetError(
            f'{name}: the rotation is a reflection (its determinant is -1); '
            'the poses use left-handed axes, or one axis has the wrong sign'
        )
    return U @ Vt


def _numbers(values: np.ndarray) -> str:
    return ' '.join(f'{value:.4g}' for value in values)
