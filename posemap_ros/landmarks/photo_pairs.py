"""Which photos see the same things, from where they were taken."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.check.epipolar import invert

_LEAST_OVERLAP = 0.25  # share of what one photo sees that the other must see
_PARALLAXES_DEG = (0.5, 2.0, 4.0, 8.0, 16.0, 35.0)  # one partner is taken between each two


def choose_pairs(T_world_cam: np.ndarray, camera: Camera, scene_points: np.ndarray) -> np.ndarray:
    """Pairs of photos worth matching: [m, 2] indices, the smaller one first.

    Each photo gets the partner with most in common in each band of parallax: neighbours match
    best, and those far apart say most about depth.

    Args:
        T_world_cam: [p, 4, 4] poses of the photos.
        scene_points: [p, r, 3] what each photo sees, spread over its image, world, metres.
    """
    T_cam_world = invert(T_world_cam)
    centres, pairs = T_world_cam[:, :3, 3], []
    for photo, points in enumerate(scene_points):
        seen = points @ np.swapaxes(T_cam_world[:, :3, :3], 1, 2) + T_cam_world[:, None, :3, 3]
        pixels = camera.project(seen)
        with np.errstate(invalid='ignore'):
            inside = ((pixels >= 0) & (pixels <= (camera.width, camera.height))).all(-1)
        overlap = inside.mean(axis=1)
        overlap[photo] = 0
        rays = points - centres[:, None]
        rays /= np.maximum(np.linalg.norm(rays, axis=-1, keepdims=True), 1e-9)
        angle = np.degrees(np.arccos(np.clip((rays * rays[photo]).sum(-1), -1, 1)))
        parallax = np.median(angle, axis=1)
        for low, high in zip(_PARALLAXES_DEG, _PARALLAXES_DEG[1:]):
            fits = np.where((parallax >= low) & (parallax < high), overlap, 0)
            best = int(fits.argmax())
            if fits[best] >= _LEAST_OVERLAP:
                pairs.append((min(photo, best), max(photo, best)))
    return np.unique(np.array(pairs, int).reshape(-1, 2), axis=0)
