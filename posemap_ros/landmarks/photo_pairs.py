"""Which photos see the same things, from where they were taken."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.rigid import invert

_LEAST_OVERLAP = 0.1  # share of what each of two photos sees that the other must see
_PARALLAXES_DEG = (0.5, 2.0, 4.0, 8.0, 16.0, 35.0)
# A point is hidden where the photo sees only so far, and the point is farther by this factor: the
# depth is that of the middle of a part of the image, and parts slant.
_BEHIND = 1.3


def choose_pairs(
    T_world_cam: np.ndarray, camera: Camera, scene_points: np.ndarray, budget: int
) -> np.ndarray:
    """The pairs of photos that are most worth matching: [m, 2] indices, the smaller one first.

    Each photo gets the partner with most in common in each band of parallax, then the second best
    of each, and so on: neighbours match best, and those far apart say most about depth. Two photos
    have in common what both see: one from far behind sees all that the other sees, but so small
    that nothing matches, and the other sees little of the one.

    Args:
        T_world_cam: [p, 4, 4] poses of the photos.
        scene_points: [p, rows, columns, 3] what each photo sees in the middle of each cell of a
            grid over its image, world, metres.
        budget: how many pairs there may be.
    """
    T_cam_world = invert(T_world_cam)
    points = scene_points.reshape(len(T_world_cam), -1, 3)
    away = scene_points - T_world_cam[:, None, None, :3, 3]
    depths = np.einsum('prci,pi->prc', away, T_world_cam[:, :3, 2])
    found = [
        in_common(photo, points[photo], T_world_cam, T_cam_world, camera, depths)
        for photo in range(len(points))
    ]
    shares, parallaxes = np.array(found).swapaxes(0, 1)
    pairs, places = [], []
    for photo, (overlap, parallax) in enumerate(zip(np.minimum(shares, shares.T), parallaxes)):
        order = np.argsort(-overlap, kind='stable')
        order = order[overlap[order] >= _LEAST_OVERLAP]
        band = np.digitize(parallax[order], _PARALLAXES_DEG)
        rank = np.empty(len(order), int)  # among those of its band
        for b in range(len(_PARALLAXES_DEG) + 1):
            rank[band == b] = np.arange((band == b).sum())
        useful = (band > 0) & (band < len(_PARALLAXES_DEG))
        partners = order[useful][np.argsort(rank[useful], kind='stable')]
        pairs.append(np.sort(np.stack([np.full(len(partners), photo), partners], axis=1), axis=1))
        places.append(np.arange(len(partners)))
    pairs = np.concatenate(pairs)[np.argsort(np.concatenate(places), kind='stable')]
    first = np.sort(np.unique(pairs, axis=0, return_index=True)[1])
    return np.unique(pairs[first[:budget]], axis=0)


def in_common(
    photo: int,
    points: np.ndarray,
    T_world_cam: np.ndarray,
    T_cam_world: np.ndarray,
    camera: Camera,
    depths: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The share [p] of a photo's points that each other photo sees, and the angle [p] in degrees
    between the rays of both, in the median.

    Args:
        points: [r, 3] what the photo sees, world, metres.
        depths: [p, rows, columns] how far each photo sees, over its image, metres: what is behind
            that is hidden from it. None where nobody knows.
    """
    seen = points @ np.swapaxes(T_cam_world[:, :3, :3], 1, 2) + T_cam_world[:, None, :3, 3]
    pixels = camera.project(seen)
    with np.errstate(invalid='ignore'):
        inside = ((pixels >= 0) & (pixels <= (camera.width, camera.height))).all(-1)
    if depths is not None:
        cells = np.array(depths.shape[:0:-1])  # columns, rows
        at = np.where(inside[..., None], pixels, 0.0) / (camera.width, camera.height) * cells
        column, row = np.moveaxis(np.minimum(at.astype(int), cells - 1), -1, 0)
        sight = depths[np.arange(len(depths))[:, None], row, column]
        inside &= seen[..., 2] < _BEHIND * sight
    overlap = inside.mean(axis=1)
    overlap[photo] = 0
    rays = points - T_world_cam[:, None, :3, 3]
    rays /= np.maximum(np.linalg.norm(rays, axis=-1, keepdims=True), 1e-9)
    cosine = np.clip((rays * rays[photo]).sum(-1), -1, 1)
    return overlap, np.median(np.degrees(np.arccos(cosine)), axis=1)
