"""How well matched points fit the poses: the epipolar constraint of two views."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera


def sampson_px(
    points_a: np.ndarray, points_b: np.ndarray, T_b_a: np.ndarray, camera: Camera
) -> np.ndarray:
    """Sampson's distance [p, k] of points [p, k, 2] from the epipolar geometry of T_b_a [p, 4, 4].

    In pixels of the pinhole camera; first-order geometric error (Hartley and Zisserman, "Multiple
    View Geometry", 2nd edition, equation 11.9). Where the camera did not move, any direction of
    translation fits points that turned with it, so one is made up.
    """
    K_inverse = np.array(
        [
            [1 / camera.fx, 0, -camera.cx / camera.fx],
            [0, 1 / camera.fy, -camera.cy / camera.fy],
            [0, 0, 1],
        ]
    )
    t = T_b_a[:, :3, 3]
    length = np.linalg.norm(t, axis=1, keepdims=True)
    x, y, z = np.where(length > 1e-9, t / np.maximum(length, 1e-12), (1.0, 0.0, 0.0)).T
    o = np.zeros_like(x)
    cross = np.stack([o, -z, y, z, o, -x, -y, x, o], axis=1).reshape(-1, 3, 3)
    F = K_inverse.T @ (cross @ T_b_a[:, :3, :3]) @ K_inverse
    a, b = _homogeneous(points_a), _homogeneous(points_b)
    line_b, line_a = a @ np.swapaxes(F, 1, 2), b @ F
    slope = (line_b[..., :2] ** 2).sum(-1) + (line_a[..., :2] ** 2).sum(-1)
    return np.abs((b * line_b).sum(-1)) / np.sqrt(np.maximum(slope, 1e-300))


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
