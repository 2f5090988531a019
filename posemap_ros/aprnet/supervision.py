"""What a known pose teaches APRNet: the pose, its spread, the points seen from there, and the
PoseMap.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from posemap_ros.aprnet.known import Known
from posemap_ros.aprnet.losses import point_loss, pose_loss, posemap_loss, spread_loss
from posemap_ros.aprnet.network import Prediction
from posemap_ros.camera import Camera
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.nerf_p.pose_branch import grid_rays
from posemap_ros.recipe import AprRecipe

# Scene points farther than this many scene radii do not help to find a position.
FAR_RADII = 4.0
# Reaches only the layers that predict the spread; small, so that it never fills the clipped
# gradient.
SPREAD_WEIGHT = 0.01


class Supervision:
    """The losses of predictions for images whose poses are known.

    Args:
        nerf: frozen.
        camera: APRNet's input camera.
        recipe: of the weights, and of the PoseMap loss.
        pose_error: (predicted, true) poses [B, 4, 4] -> scalar; by default L_pose as the recipe
            reduces it.
    """

    def __init__(
        self,
        nerf: NeRFP,
        camera: Camera,
        recipe: AprRecipe,
        pose_error: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        self._nerf, self._camera, self._recipe = nerf, camera, recipe
        self._pose_error = pose_error or partial(pose_loss, reduction=recipe.pose_reduction)
        self._rays = grid_rays(camera, next(nerf.parameters()).device)
        self._far_m = FAR_RADII * nerf.scene.radius_m

    def __call__(
        self,
        predicted: Prediction,
        known: Known,
        *,
        posemap_distance: Literal['cosine', 'l2'] = 'cosine',
        counterparts: Tensor | None = None,
    ) -> Tensor:
        """Their sum, of predictions for B images of which this is known.

        Args:
            counterparts: poses [R, 4, 4] that are predicted for renders at the poses of the first
                R images, if any. L_pose is then a mean over both, as in DFNet.
        """
        weight, poses = self._recipe.loss, known.T_world_cam
        estimates, true_poses = predicted.T_world_cam, poses
        if counterparts is not None:
            estimates = torch.cat([estimates, counterparts])
            true_poses = torch.cat([poses, poses[: len(counterparts)]])
        loss = weight.pose * self._pose_error(estimates, true_poses)
        loss = loss + SPREAD_WEIGHT * spread_loss(
            predicted.log_sigma, predicted.T_world_cam, poses
        )
        if weight.points > 0 and predicted.points is not None:
            loss = loss + weight.points * point_loss(
                predicted.points, predicted.depths, poses, known.depth, self._rays, self._far_m
            )
        if weight.posemap > 0 and known.posemap is not None:
            true = known.posemap
            estimated = self._nerf.posemap(
                predicted.T_world_cam, self._camera, true.cells, self._recipe.posemap_features
            ).features
            loss = loss + weight.posemap * posemap_loss(
                estimated, true.features, true.opacity, posemap_distance
            )
        return loss
