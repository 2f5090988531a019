"""Which photos tell most about the depth of another, from where they were taken."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.check.epipolar import invert
from posemap_ros.landmarks.photo_pairs import in_common

# Angles between the rays of both photos. Less says little about depth; with more, flow finds less.
_PARALLAXES_DEG = (2.0, 4.0, 7.0)
_NEAR_ENOUGH = (0.6, 1.6)  # times such an angle
_LEAST_OVERLAP = 0.5  # share of what one photo sees that the other must see


def choose_partners(
    T_world_cam: np.ndarray, camera: Camera, depths: np.ndarray
) -> list[list[int]]:
    """For each photo those that see the same from a little aside; up to three, maybe none.

    Args:
        T_world_cam: [p, 4, 4] poses of the photos.
        depths: [p] how far away the things in each photo are, roughly, metres.
    """
    u, v = (np.arange(8) + 0.5) / 8, (np.arange(6) + 0.5) / 6
    x, y = (u * camera.width - camera.cx) / camera.fx, (v * camera.height - camera.cy) / camera.fy
    rays = np.stack([*np.meshgrid(x, y), np.ones((6, 8))], axis=-1).reshape(-1, 3)
    T_cam_world = invert(T_world_cam)
    partners = []
    for photo, (T, depth) in enumerate(zip(T_world_cam, depths)):
        points = depth * rays @ T[:3, :3].T + T[:3, 3]
        overlap, parallax = in_common(photo, points, T_world_cam, T_cam_world, camera)
        chosen: list[int] = []
        for wanted in _PARALLAXES_DEG:
            least, most = (factor * wanted for factor in _NEAR_ENOUGH)
            fits = (overlap >= _LEAST_OVERLAP) & (parallax > least) & (parallax < most)
            fits[chosen] = False
            if fits.any():
                chosen.append(int(np.where(fits, overlap, 0.0).argmax()))
        partners.append(chosen)
    return partners
