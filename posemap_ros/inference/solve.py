"""From the few numbers of a `PoseGraph` to the pose, in NumPy and double precision.

Arrays stay below the 500 elements from which on NumPy gives Python's lock away, where the grid has
no more cells than 166.
"""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from posemap_ros.aprnet.heads import ROBUST_STEPS, PooledHead, ScenePointHead
from posemap_ros.aprnet.network import APRNet


class PoseSolver:
    """Reads what the `PoseGraph` of one APRNet says of an image."""

    def __init__(self, net: APRNet) -> None:
        self._T_world_scene = _array(net.T_world_scene)
        self._head = _SOLVERS[type(net.head)](net.head)

    def __call__(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers [K] -> T_world_cam [4, 4] float64, the log of its spread [2] (metres, radians),
        and the image's descriptor [D] float32.
        """
        count = self._head.count
        rotation, translation, log_sigma = self._head(numbers[:count].astype(np.float64))
        T_scene_cam = np.eye(4)
        T_scene_cam[:3, :3], T_scene_cam[:3, 3] = rotation, translation
        return self._T_world_scene @ T_scene_cam, log_sigma, numbers[count:]


class PooledSolver:
    """The pose of a `PooledHead`."""

    count = 14

    def __init__(self, head: PooledHead) -> None:
        self._radius_m = head.radius_m

    def __call__(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotation [3, 3], translation [3] and log of the spread [2]."""
        rotation = _nearest_rotation(numbers[:9].reshape(3, 3) + np.eye(3))
        return rotation, numbers[9:12] * self._radius_m, numbers[12:]


class ScenePointSolver:
    """The pose of a `ScenePointHead`: robust weighted Procrustes."""

    def __init__(self, head: ScenePointHead) -> None:
        first, _, last = head.spread
        # The last two inputs are about the residuals, which only the pose can tell.
        self._residual_weights = _array(first.weight)[:, -2:]
        self._last_weights, self._last_bias = _array(last.weight), _array(last.bias)
        self._cells = len(head.rays)
        self.count = 7 * self._cells + len(self._residual_weights)

    def __call__(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotation [3, 3], translation [3] and log of the spread [2]."""
        n = self._cells
        points, in_camera = numbers[: 3 * n].reshape(n, 3), numbers[3 * n : 6 * n].reshape(n, 3)
        weights, context = numbers[6 * n : 7 * n], numbers[7 * n :]
        counted = weights
        for _ in range(ROBUST_STEPS):
            rotation, translation = _procrustes(in_camera, points, counted)
            off = np.sqrt(_squared_distance(in_camera, points, rotation, translation))
            usual = max(np.sort(off)[(n - 1) // 2], 1e-6)  # as torch's median
            counted = weights / (1.0 + (off / usual) ** 2)
        rotation, translation = _procrustes(in_camera, points, counted)
        squared = weights @ _squared_distance(in_camera, points, rotation, translation)
        evidence = 0.5 * math.log(max(squared, 1e-10)), -math.log(weights @ weights)
        hidden = np.maximum(context + self._residual_weights @ evidence, 0.0)
        return rotation, translation, self._last_weights @ hidden + self._last_bias


_SOLVERS = {PooledHead: PooledSolver, ScenePointHead: ScenePointSolver}


def _procrustes(
    source: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The rotation [3, 3] and translation [3] that carry points [n, 3] best onto others, in the
    weighted mean square.
    """
    weights = weights / weights.sum()
    source_mean, target_mean = weights @ source, weights @ target
    covariance = (target - target_mean).T @ (weights[:, None] * (source - source_mean))
    rotation = _nearest_rotation(covariance)
    return rotation, target_mean - rotation @ source_mean


def _squared_distance(
    source: np.ndarray, target: np.ndarray, rotation: np.ndarray, translation: np.ndarray
) -> np.ndarray:
    """Of points [n, 3], moved, from others: [n]."""
    return ((target - source @ rotation.T - translation) ** 2).sum(axis=1)


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a matrix [3, 3], see `posemap_ros.geometry.project_to_so3`."""
    u, _, vt = np.linalg.svd(matrix)
    u[:, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))
    return u @ vt


def _array(values: nn.Parameter) -> np.ndarray:
    return values.detach().double().cpu().numpy()
