"""NeRF-P: a radiance field of one place, from which both views and PoseMaps are rendered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from posemap_ros.camera import Camera
from posemap_ros.nerf_p.exposure import AffineExposure
from posemap_ros.nerf_p.grid_field import GridField, ProposalField
from posemap_ros.nerf_p.pose_branch import POSEMAP_CHANNELS, POSEMAP_STRIDE, PoseBranch
from posemap_ros.nerf_p.rendering import composite, render_weights
from posemap_ros.nerf_p.sampling import importance_edges, stratified_edges
from posemap_ros.nerf_p.scene import SceneFrame

# Rays rendered at once without gradients: bounds memory, costs no speed.
CHUNK = 8192


@dataclass
class RaySamples:
    """What the field holds along R rays of S samples, before anything is composited."""

    edges: Tensor  # [R, S + 1] interval edges in [0, 1], see SceneFrame.spacing_to_depth
    depths: Tensor  # [R, S] metres along the optical axis
    weights: Tensor  # [R, S]
    feature: Tensor  # [R, S, feature_width]
    proposal_edges: Tensor  # [R, P + 1]
    proposal_weights: Tensor  # [R, P]


@dataclass
class View:
    """A rendered view."""

    rgb: Tensor  # [H, W, 3] in [0, 1]
    depth: Tensor  # [H, W] median depth, metres along the optical axis
    opacity: Tensor  # [H, W] in [0, 1]


@dataclass
class PoseMap:
    """Rendered pose features of B poses on N cells of the stride-16 grid, row by row."""

    features: Tensor  # [B, N, 256]
    opacity: Tensor  # [B, N] in [0, 1]
    depth: Tensor  # [B, N] median depth, metres along the optical axis


class NeRFP(nn.Module):
    """Radiance field, proposal, exposure and pose branch; renders from metric poses
    ``T_world_cam``.
    """

    def __init__(
        self,
        scene: SceneFrame,
        field: GridField,
        proposal_samples: int = 40,
        final_samples: int = 24,
    ) -> None:
        super().__init__()
        self.scene = scene
        self.field = field
        self.proposal = ProposalField(scene)
        self.exposure = AffineExposure()
        self.pose_branch = PoseBranch(field.feature_width)
        self.proposal_samples = proposal_samples
        self.final_samples = final_samples

    def sample(
        self, origins: Tensor, directions: Tensor, generator: torch.Generator | None = None
    ) -> RaySamples:
        """Ask the proposal, then the field, along rays.

        Args:
            origins: [R, 3] camera centres in the world, metres.
            directions: [R, 3] in the world, of unit length along the optical axis, so that depth
                is z.
            generator: jitters the samples (training); without it they are fixed.
        """
        stretch = directions.norm(dim=-1, keepdim=True)

        def weigh(edges: Tensor, density: Tensor) -> Tensor:
            # Lengths along the ray, not along the optical axis.
            return render_weights(
                density, self.scene.spacing_to_depth(edges).diff(dim=-1) * stretch
            )

        def midpoints(edges: Tensor) -> Tensor:
            return self.scene.spacing_to_depth(0.5 * (edges[:, 1:] + edges[:, :-1]))[..., None]

        coarse = stratified_edges(len(origins), self.proposal_samples, generator, origins.device)
        # The proposal decides where to look, which has no gradient: none is traced to the pose
        # through it.
        coarse_points = (
            origins.detach()[:, None] + midpoints(coarse) * directions.detach()[:, None]
        )
        coarse_weights = weigh(coarse, self.proposal(coarse_points))
        edges = importance_edges(coarse, coarse_weights, self.final_samples, generator)
        depths = midpoints(edges)
        points = origins[:, None] + depths * directions[:, None]
        density, feature = self.field.density_and_feature(points)
        weights = weigh(edges, density)
        return RaySamples(edges, depths[..., 0], weights, feature, coarse, coarse_weights)

    def shade(self, samples: RaySamples, directions: Tensor, histogram: Tensor) -> Tensor:
        """Colours [R, 3] of sampled rays with directions [R, 3], for a camera with luma histogram
        [R or 1, 10].
        """
        unit = nn.functional.normalize(directions, dim=-1)[:, None].expand(
            *samples.feature.shape[:2], 3
        )
        rgb = composite(samples.weights, self.field.colours(samples.feature, unit))
        return self.exposure(rgb, histogram)

    def render_view(self, T_world_cam: Tensor, camera: Camera, histogram: Tensor) -> View:
        """Render one pose [4, 4] as ``camera`` would show it with exposure ``histogram`` [10].

        Differentiable in the pose; without gradients it works in chunks, in bounded memory.
        """
        origins, directions = view_rays(T_world_cam, camera)
        chunk = len(origins) if torch.is_grad_enabled() else CHUNK
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

    def posemap(self, T_world_cam: Tensor, camera: Camera, cells: Tensor | None = None) -> PoseMap:
        """PoseMaps of poses [B, 4, 4] on the grid of every 16th pixel of ``camera``;
        differentiable in the poses.

        Args:
            T_world_cam: [B, 4, 4].
            camera: whose grid of h * w = N cells is rendered.
            cells: [M] indices of the cells to render, for a loss on a random part of them; all by
                default.
        """
        grid = camera.rays(stride=POSEMAP_STRIDE).to(T_world_cam).reshape(-1, 3)
        if cells is not None:
            grid = grid[cells]
        directions = grid @ T_world_cam[:, :3, :3].transpose(1, 2)
        origins = T_world_cam[:, None, :3, 3].expand_as(directions)
        samples = self.sample(origins.reshape(-1, 3), directions.reshape(-1, 3))
        size = directions.shape[:2]
        return PoseMap(
            self.pose_branch(samples.feature, samples.weights).reshape(*size, POSEMAP_CHANNELS),
            samples.weights.sum(-1).reshape(size),
            median_depth(samples).reshape(size),
        )


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
