"""What APRNet learns of an image: where it was taken, and what NeRF-P shows there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.aprnet.turning import cells_inside, turn_poses
from posemap_ros.camera import Camera
from posemap_ros.nerf_p.nerf_p import NeRFP


@dataclass(frozen=True)
class KnownPoseMap:
    """PoseMaps at the true poses of B images, on M random cells of the grid."""

    cells: Tensor  # [M] their indices
    features: Tensor  # [B, M, channels]
    opacity: Tensor  # [B, M]


@dataclass(frozen=True)
class Known:
    """What is known of B images, on the device of the network."""

    T_world_cam: Tensor  # [B, 4, 4] where they were taken
    # [B, cells] what NeRF-P shows there, metres, infinite where the image shows nothing of it; if
    # a loss needs it
    depth: Tensor | None = None
    posemap: KnownPoseMap | None = None  # if it is compared in this step


@torch.no_grad()
def know(
    nerf: NeRFP,
    T_world_cam: Tensor,
    turns: Tensor,
    camera: Camera,
    *,
    depth: bool,
    cells: Tensor | None = None,
    features: str = 'pose_branch',
) -> Known:
    """Look at the place from poses [B, 4, 4] after turns [B, 3, 3] on the spot, which their images
    have undergone.

    Args:
        nerf: the place.
        T_world_cam, turns: on its device.
        camera: APRNet's input camera, whose grid is looked at.
        depth: whether to see how far away things are, on all cells.
        cells: [M] on which the PoseMap is rendered; None: it is not.
        features: of the PoseMap, see `NeRFP.posemap`.
    """
    poses = turn_poses(T_world_cam, turns)
    depths = posemap = None
    if depth:
        inside = cells_inside(turns, camera)
        depths = nerf.grid_depth(poses, camera).where(inside, torch.inf)
    if cells is not None:
        seen = nerf.posemap(poses, camera, cells, features)
        posemap = KnownPoseMap(cells, seen.features, seen.opacity)
    return Known(poses, depths, posemap)
