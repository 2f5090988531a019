"""Rigid transforms as NumPy arrays [..., 4, 4]; posemap_ros.geometry has PyTorch's."""

from __future__ import annotations

import numpy as np


def relative_poses(T_world_a: np.ndarray, T_world_b: np.ndarray) -> np.ndarray:
    """T_b_a [..., 4, 4] of rigid poses [..., 4, 4]."""
    return invert(T_world_b) @ T_world_a


def invert(T: np.ndarray) -> np.ndarray:
    """Inverse of rigid transforms [..., 4, 4]."""
    inverse = np.zeros_like(T)
    inverse[..., :3, :3] = np.swapaxes(T[..., :3, :3], -1, -2)
    inverse[..., :3, 3:] = -inverse[..., :3, :3] @ T[..., :3, 3:]
    inverse[..., 3, 3] = 1
    return inverse
