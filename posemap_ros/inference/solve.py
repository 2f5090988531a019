"""From the few numbers of a `PoseGraph` to the pose, in NumPy and double precision.

Everything here stays below the 500 elements from which on NumPy gives Python's lock away.
"""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from posemap_ros.aprnet.heads import PooledHead, ScenePointHead
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
    """The pose of a `ScenePointHead`: weighted Procrustes."""

    def __init__(self, head: ScenePointHead) -> None:
        first, _, last = head.spread
        # The last two inputs are about the residuals, which only the pose can tell.
        self._residual_weights = _array(first.weight)[:, -2:]
        self._last_weights, self._last_bias = _array(last.weight), _array(last.bias)
        self.count = 18 + len(self._residual_weights)

    def __call__(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotation [3, 3], translation [3] and log of the spread [2]."""
        camera_mean, scene_mean = numbers[:3], numbers[3:6]
        camera_variance, scene_variance = numbers[6:8]
        covariance = numbers[8:17].reshape(3, 3)
        rotation = _nearest_rotation(covariance)
        residual = camera_variance + scene_variance - 2.0 * np.sum(rotation * covariance)
        evidence = (0.5 * math.log(max(residual, 1e-10)), numbers[17])
        hidden = np.maximum(numbers[18:] + self._residual_weights @ evidence, 0.0)
        log_sigma = self._last_weights @ hidden + self._last_bias
        return rotation, scene_mean - rotation @ camera_mean, log_sigma


_SOLVERS = {PooledHead: PooledSolver, ScenePointHead: ScenePointSolver}


def _nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation nearest to a matrix [3, 3], see `posemap_ros.geometry.project_to_so3`."""
    u, _, vt = np.linalg.svd(matrix)
    u[:, 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))
    return u @ vt


def _array(values: nn.Parameter) -> np.ndarray:
    return values.detach().double().cpu().numpy()
