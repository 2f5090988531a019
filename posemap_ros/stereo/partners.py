"""Which photos tell most about the depth of another, from where they were taken."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.landmarks.photo_pairs import in_common
from posemap_ros.rigid import invert

# Angles between the rays of both photos. Less says little about depth; with more, flow finds less.
_PARALLAXES_DEG = (2.0, 4.0, 7.0)
_NEAR_ENOUGH = (0.6, 1.6)  # times such an angle
_LEAST_OVERLAP = 0.5  # share of what one photo sees that the other must see
# Photos that are looked at, those from the nearest places: what is seen from farther away has
# rarely much in common, and looking at all takes minutes where there are thousands.
_NEAREST = 400


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
        near = _near(photo, T_world_cam[:, :3, 3], depth)
        own = int(np.searchsorted(near, photo))
        overlap, parallax = in_common(own, points, T_world_cam[near], T_cam_world[near], camera)
        chosen: list[int] = []
        for wanted in _PARALLAXES_DEG:
            least, most = (factor * wanted for factor in _NEAR_ENOUGH)
            fits = (overlap >= _LEAST_OVERLAP) & (parallax > least) & (parallax < most)
            fits[chosen] = False
            if fits.any():
                chosen.append(int(np.where(fits, overlap, 0.0).argmax()))
        partners.append(near[chosen].tolist())
    return partners


def _near(photo: int, positions: np.ndarray, depth: float) -> np.ndarray:
    """Indices, in order, of a photo and of those that may be its partners, from where photos
    [p, 3] were taken.
    """
    distance = np.linalg.norm(positions - positions[photo], axis=1)
    # What is at that depth is seen at a smaller angle from any nearer place (law of sines).
    least = np.sin(np.radians(_NEAR_ENOUGH[0] * _PARALLAXES_DEG[0])) * depth
    aside = np.flatnonzero(distance >= 0.99 * least)
    nearest = aside[np.argsort(distance[aside], kind='stable')[:_NEAREST]]
    return np.union1d(nearest, photo)
