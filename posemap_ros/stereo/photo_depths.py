"""Depths in all photos of a dataset, found once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.rigid import invert, relative_poses
from posemap_ros.scene_extent import SeenPoints
from posemap_ros.stereo.flow_depth import DepthByFlow
from posemap_ros.stereo.partners import choose_partners
from posemap_ros.support.blocks import in_blocks

_LONGER_SIDE_PX = 320  # of the images that are compared, at most
_PHOTOS_AT_ONCE = 16
_KEPT_IMAGES = 64
_ENOUGH_POINTS = 20  # in a photo, to say how far away things are there
_CLOSEST_M = 1e-3


@dataclass(frozen=True)
class PhotoDepths:
    """How far away things are in N photos, where that could be told."""

    depth: Tensor  # [N, h, w] metres along the optical axis; 0 where unknown
    sigma: Tensor  # [N, h, w] its standard deviation, metres

    @classmethod
    def unknown(cls, count: int, grid: Camera) -> PhotoDepths:
        """Of so many photos about whose depth nothing is known."""
        nothing = torch.zeros(count, grid.height, grid.width)
        return cls(nothing, nothing)


def measure_depths(
    dataset: PosedImages, grid: Camera, seen: SeenPoints, work: Path
) -> PhotoDepths:
    """Depths in the photos of a dataset on the pixels of `grid`, its camera at another size.

    Args:
        seen: some points of the place, from which photos are chosen to compare.
        work: folder in which finished photos are kept, and found by the next run.

    Raises:
        InvalidBlock: a kept file is damaged.
    """
    camera = dataset.camera.undistorted().with_longer_side_at_most(_LONGER_SIDE_PX)
    poses, find = dataset.poses, DepthByFlow(camera, grid)
    if not len(seen):
        return PhotoDepths.unknown(len(dataset), grid)
    partners = choose_partners(poses, camera, usual_depths(seen, poses, camera))

    @lru_cache(maxsize=_KEPT_IMAGES)
    def grey(photo: int) -> np.ndarray:
        return cv2.cvtColor(dataset.load_as(photo, camera), cv2.COLOR_RGB2GRAY)

    def look_at(block: range) -> dict[str, np.ndarray]:
        found = [
            find(
                grey(photo),
                [grey(other) for other in partners[photo]],
                [relative_poses(poses[other], poses[photo]) for other in partners[photo]],
            )
            for photo in block
        ]
        depths, sigmas = zip(*found)
        return {'depth': np.stack(depths), 'sigma': np.stack(sigmas)}

    kept = in_blocks(work, 'depths', len(dataset), _PHOTOS_AT_ONCE, look_at, 'depth of photos')
    return PhotoDepths(torch.from_numpy(kept['depth']), torch.from_numpy(kept['sigma']))


def usual_depths(seen: SeenPoints, T_world_cam: np.ndarray, camera: Camera) -> np.ndarray:
    """How far away the points are that each photo shows, or all of them where it shows few: [p]
    metres, the medians.
    """
    depths = np.empty(len(T_world_cam))
    for photo, T_cam_world in enumerate(invert(T_world_cam)):
        local = seen.points @ T_cam_world[:3, :3].T + T_cam_world[:3, 3]
        pixels = camera.project(local)
        shown = ((pixels >= 0) & (pixels <= (camera.width, camera.height))).all(axis=-1)
        known = local[shown, 2] if shown.sum() >= _ENOUGH_POINTS else seen.depths
        depths[photo] = max(np.median(known), _CLOSEST_M)
    return depths
