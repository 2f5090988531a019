"""Where two rays meet: the midpoint method."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera


def unit_rays(pixels: np.ndarray, camera: Camera) -> np.ndarray:
    """Directions [..., 3] of unit length, optical axes, of pixels [..., 2] of a pinhole camera."""
    x = (pixels[..., 0] - camera.cx) / camera.fx
    y = (pixels[..., 1] - camera.cy) / camera.fy
    rays = np.stack([x, y, np.ones_like(x)], axis=-1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def distances(
    rays_a: np.ndarray, rays_b: np.ndarray, baseline: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far along two rays they are nearest to each other (least squares), from either's origin,
    and the cosine of the angle between them: [...] each. A distance is negative behind an origin.

    Args:
        rays_a, rays_b: [..., 3] of unit length, in the same axes.
        baseline: [..., 3] from a's origin to b's.
    """
    cosine = (rays_a * rays_b).sum(-1)
    along_a, along_b = (rays_a * baseline).sum(-1), (rays_b * baseline).sum(-1)
    sine2 = np.maximum(1.0 - cosine**2, 1e-12)
    return (along_a - cosine * along_b) / sine2, (cosine * along_a - along_b) / sine2, cosine
