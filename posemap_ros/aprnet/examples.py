"""What APRNet learns from: images, and what is known of those that a step chose."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from posemap_ros.aprnet.renders import PosedViews, PoseMaps


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
    depth: Tensor | None = None  # [B, cells] what NeRF-P shows there, metres; if a loss needs it
    posemap: KnownPoseMap | None = None  # if it is compared in this step


@dataclass
class Examples:
    """Images that APRNet learns from; the PoseMaps where they were taken, if a loss needs them."""

    views: PosedViews
    posemaps: PoseMaps | None

    def known(self, chosen: Tensor, device: torch.device, cells: Tensor | None = None) -> Known:
        """What is known of the images with these indices [B].

        Args:
            cells: [M] those in which the PoseMap is compared; None: it is not.
        """
        poses, maps = self.views.T_world_cam[chosen].to(device), self.posemaps
        if maps is None:
            return Known(poses)
        posemap = None
        if cells is not None:
            posemap = KnownPoseMap(
                cells.to(device),
                maps.features[chosen][:, cells].float().to(device),
                maps.opacity[chosen][:, cells].float().to(device),
            )
        return Known(poses, maps.depth[chosen].to(device), posemap)
