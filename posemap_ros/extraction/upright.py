"""Which way is up, judged by how the camera was held."""

from __future__ import annotations

import numpy as np

_ALIKE = 0.7  # length of the mean of the cameras' up vectors; less, and they were held every way


def upright_rotation(poses: np.ndarray) -> np.ndarray:
    """The smallest rotation [3, 3] of the world after which the mean up of T_world_cam is z.

    People and robots hold cameras upright, but for roll and pitch that average out. The identity
    where that cannot be said: the cameras' up vectors point all over.
    """
    if not is_upright_known(poses):
        return np.eye(3)
    up = _mean_up(poses)
    x, y, z = up / np.linalg.norm(up)
    if z < -1 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    # Rodrigues' formula for the turn about up x z, whose sine and cosine are its length and z.
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + z)


def is_upright_known(poses: np.ndarray) -> bool:
    """Do the cameras [n, 4, 4] agree on which way is up?"""
    return bool(np.linalg.norm(_mean_up(poses)) >= _ALIKE)


def _mean_up(poses: np.ndarray) -> np.ndarray:
    return -poses[:, :3, 1].mean(axis=0)
