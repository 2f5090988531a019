"""NeRF-P: a radiance field of one place, from which both views and PoseMaps are rendered."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.camera import Camera
from posemap_ros.nerf_p.encodings import (
    DIRECTION_FEATURES,
    encode_direction,
    positional_encoding,
)
from posemap_ros.nerf_p.grid_field import GridField
from posemap_ros.nerf_p.mlp_field import MlpField
from posemap_ros.nerf_p.photo_rays import Rays
from posemap_ros.nerf_p.pose_branch import PoseBranch, grid_rays
from posemap_ros.nerf_p.rendering import composite, weights_from_depth
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import NerfRecipe

# Of a sample's position, where the pose branch sees it: down to about a tenth of the scene's
# radius, finer than which nothing needs to be told apart that volume rendering blurs anyway.
POSITION_FREQUENCIES = 5
POSITION_FEATURES = 3 * (1 + 2 * POSITION_FREQUENCIES)
# Standard deviation of a photo's depth, as a share of it, from which on it counts less than half.
SURE_DEPTH = 0.02
# Of what a ray lets pass although something was seen along it, beside how far its weight is away.
TRANSPARENT_WEIGHT = 0.1


@dataclass
class RaySamples:
    """What a field holds along R rays of S samples, before anything is composited."""

    points: Tensor  # [R, S, 3] in the world, metres
    depths: Tensor  # [R, S] metres along the optical axis
    weights: Tensor  # [R, S] of the static scene
    hidden: Tensor  # [R, S, H] the field's hidden values, of the position only


@dataclass
class View:
    """A rendered view."""

    rgb: Tensor  # [H, W, 3] in [0, 1]
    depth: Tensor  # [H, W] median depth, metres along the optical axis
    opacity: Tensor  # [H, W] in [0, 1]


@dataclass
class PoseMap:
    """Rendered pose features of B poses on N cells of the stride-16 grid, row by row."""

    features: Tensor  # [B, N, 256], or as wide as the field's feature for a NeRFMap
    opacity: Tensor  # [B, N] in [0, 1]
    depth: Tensor  # [B, N] median depth, metres along the optical axis


class NeRFP(nn.Module, ABC):
    """A field, how a camera sees it, and the pose branch; renders from metric poses
    ``T_world_cam``.

    A subclass for each kind of field says how it is sampled along rays, shaded and fitted.
    """

    # Rays rendered at once without gradients: bounds memory, costs no speed.
    chunk_rays: int
    # Gives the position-only feature: `feature_width`, `feature(hidden)`.
    field: GridField | MlpField

    def __init__(self, scene: SceneFrame, recipe: NerfRecipe) -> None:
        super().__init__()
        self.scene = scene
        self.recipe = recipe

    @abstractmethod
    def sample(
        self, origins: Tensor, directions: Tensor, generator: torch.Generator | None = None
    ) -> RaySamples:
        """Ask the field along rays.

        Args:
            origins: [R, 3] camera centres in the world, metres.
            directions: [R, 3] in the world, of unit length along the optical axis, so that depth
                is z.
            generator: jitters the samples (training); without it they are fixed.
        """

    @abstractmethod
    def shade(self, samples: RaySamples, directions: Tensor, histogram: Tensor) -> Tensor:
        """Colours [R, 3] of sampled rays with directions [R, 3], for a camera with luma histogram
        [R or 1, 10].
        """

    @abstractmethod
    def loss(self, rays: Rays, index: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What step ``index`` of the training minimises.

        Returns:
            the loss, and the mean squared colour error, which is only reported.
        """

    def depth_loss(self, samples: RaySamples, rays: Rays) -> Tensor:
        """Scalar: how far the weights of rays are from the depths that are known of them, where 0
        is near and 1 is the horizon, and that something is there at all; unsure depths count less.
        """
        to_spacing = self.scene.depth_to_spacing
        known = rays.depth > 0
        depth, weights = rays.depth[known], samples.weights[known]
        apart = weights_from_depth(to_spacing(samples.depths[known]), weights, to_spacing(depth))
        transparent = (1.0 - weights.sum(-1)).clamp_min(0.0)
        doubt = rays.depth_sigma[known] / (SURE_DEPTH * depth)
        each = (apart + TRANSPARENT_WEIGHT * transparent) / (1.0 + doubt.square())
        return each.sum() / max(1, len(rays.depth))

    def make_pose_branch(self, feature_width: int) -> PoseBranch:
        """The branch for a field whose position-only features are so wide."""
        recipe = self.recipe
        return PoseBranch(
            feature_width
            + POSITION_FEATURES * recipe.pose_branch_sees_position
            + DIRECTION_FEATURES * recipe.pose_branch_sees_direction
        )

    def render_view(self, T_world_cam: Tensor, camera: Camera, histogram: Tensor) -> View:
        """Render one pose [4, 4] as ``camera`` would show it with exposure ``histogram`` [10].

        Differentiable in the pose; without gradients it works in chunks, in bounded memory.
        """
        origins, directions = view_rays(T_world_cam, camera)
        chunk = len(origins) if torch.is_grad_enabled() else self.chunk_rays
        parts = []
        for o, d in zip(origins.split(chunk), directions.split(chunk)):
            samples = self.sample(o, d)
            opacity = samples.weights.sum(-1)
            parts.append((self.shade(samples, d, histogram[None]), median_depth(samples), opacity))
        rgb, depth, opacity = (torch.cat(p) for p in zip(*parts))
        size = (camera.height, camera.width)
        return View(
            rgb.reshape(*size, 3).clamp(0.0, 1.0), depth.reshape(size), opacity.reshape(size)
        )

    def posemap(
        self,
        T_world_cam: Tensor,
        camera: Camera,
        cells: Tensor | None = None,
        features: str = 'pose_branch',
    ) -> PoseMap:
        """PoseMaps of poses [B, 4, 4] on the grid of every 16th pixel of ``camera``;
        differentiable in the poses.

        Args:
            T_world_cam: [B, 4, 4].
            camera: whose grid of h * w = N cells is rendered.
            cells: [M] indices of the cells to render, for a loss on a random part of them; all by
                default.
            features: 'pose_branch', or 'trunk' for the field's own last feature in its place
                (NeRFMap, table 5a).
        """
        samples, directions = self._sample_grid(T_world_cam, camera, cells)
        size = len(T_world_cam), -1
        if features == 'trunk':
            rendered = composite(samples.weights, self.field.feature(samples.hidden))
        else:
            rendered = self.pose_features(samples, directions)
        return PoseMap(
            rendered.reshape(*size, rendered.shape[-1]),
            samples.weights.sum(-1).reshape(size),
            median_depth(samples).reshape(size),
        )

    def grid_depth(self, T_world_cam: Tensor, camera: Camera) -> Tensor:
        """The depth of `posemap` alone, [B, N], for a fraction of the work."""
        samples, _ = self._sample_grid(T_world_cam, camera)
        return median_depth(samples).reshape(len(T_world_cam), -1)

    def _sample_grid(
        self, T_world_cam: Tensor, camera: Camera, cells: Tensor | None = None
    ) -> tuple[RaySamples, Tensor]:
        """Samples of the rays of `posemap`, one pose after the other, and their directions [B * N,
        3].
        """
        grid = grid_rays(camera, T_world_cam.device).to(T_world_cam.dtype)
        if cells is not None:
            grid = grid[cells]
        directions = grid @ T_world_cam[:, :3, :3].transpose(1, 2)
        origins = T_world_cam[:, None, :3, 3].expand_as(directions)
        directions = directions.reshape(-1, 3)
        return self.sample(origins.reshape(-1, 3), directions), directions

    def pose_features(self, samples: RaySamples, directions: Tensor) -> Tensor:
        """Rendered pose features [R, 256] of sampled rays with directions [R, 3]."""
        parts = [self.field.feature(samples.hidden)]
        if self.recipe.pose_branch_sees_position:
            where = math.pi * self.scene.normalise(samples.points)
            parts.append(positional_encoding(where, POSITION_FREQUENCIES))
        if self.recipe.pose_branch_sees_direction:
            seen = encode_direction(F.normalize(directions, dim=-1))[:, None]
            parts.append(seen.expand(*samples.depths.shape, -1))
        return self.pose_branch(torch.cat(parts, dim=-1), samples.weights)


def median_depth(samples: RaySamples) -> Tensor:
    """Depth [R] at which half of each ray's weight is passed: on a surface, where the mean floats
    between two.
    """
    passed = samples.weights.detach().cumsum(-1)
    index = (passed < 0.5 * passed[:, -1:]).sum(-1, keepdim=True).clamp_max(passed.shape[-1] - 1)
    return samples.depths.gather(-1, index)[:, 0]


def view_rays(T_world_cam: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Origins and directions [H * W, 3] in the world of all pixels of a camera at pose [4, 4], row
    by row.
    """
    directions = camera.rays().to(T_world_cam).reshape(-1, 3) @ T_world_cam[:3, :3].t()
    return T_world_cam[:3, 3].expand_as(directions), directions
