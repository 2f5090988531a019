"""NeRF-P on the `grid` field: a proposal says where to look, feature planes say what is there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from posemap_ros.nerf_p.exposure import EXPOSURES
from posemap_ros.nerf_p.grid_field import GridField, ProposalField
from posemap_ros.nerf_p.nerf_p import NeRFP, RaySamples
from posemap_ros.nerf_p.photo_rays import Rays
from posemap_ros.nerf_p.rendering import (
    composite,
    distortion_loss,
    proposal_loss,
    render_weights,
)
from posemap_ros.nerf_p.sampling import importance_edges, stratified_edges
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import NerfRecipe

# The planes' smoothness touches every cell, so it is asked for only in every eighth step, eight
# times as strongly.
SMOOTHNESS_EVERY = 8


@dataclass
class GridSamples(RaySamples):
    """With the intervals of the samples, and what the proposal said."""

    edges: Tensor  # [R, S + 1] interval edges in [0, 1], see SceneFrame.spacing_to_depth
    proposal_edges: Tensor  # [R, P + 1]
    proposal_weights: Tensor  # [R, P]


class GridNeRFP(NeRFP):
    """Feature planes with a proposal, sampled in contracted space."""

    chunk_rays = 8192

    def __init__(self, scene: SceneFrame, recipe: NerfRecipe) -> None:
        super().__init__(scene, recipe)
        exposure = EXPOSURES[recipe.appearance]
        self.field = GridField(scene, recipe.resolutions, recipe.channels, exposure.code_width)
        self.proposal = ProposalField(scene)
        self.exposure = exposure()
        self.pose_branch = self.make_pose_branch(self.field.feature_width)

    def sample(
        self, origins: Tensor, directions: Tensor, generator: torch.Generator | None = None
    ) -> GridSamples:
        """See `NeRFP.sample`."""
        stretch = directions.norm(dim=-1, keepdim=True)

        def weigh(edges: Tensor, density: Tensor) -> Tensor:
            # Lengths along the ray, not along the optical axis.
            return render_weights(
                density, self.scene.spacing_to_depth(edges).diff(dim=-1) * stretch
            )

        def midpoints(edges: Tensor) -> Tensor:
            return self.scene.spacing_to_depth(0.5 * (edges[:, 1:] + edges[:, :-1]))[..., None]

        coarse = stratified_edges(
            len(origins), self.recipe.proposal_samples, generator, origins.device
        )
        # The proposal decides where to look, which has no gradient: none is traced to the pose
        # through it.
        coarse_points = (
            origins.detach()[:, None] + midpoints(coarse) * directions.detach()[:, None]
        )
        coarse_weights = weigh(coarse, self.proposal(coarse_points))
        edges = importance_edges(coarse, coarse_weights, self.recipe.final_samples, generator)
        depths = midpoints(edges)
        points = origins[:, None] + depths * directions[:, None]
        density, hidden = self.field.density_and_hidden(points)
        weights = weigh(edges, density)
        return GridSamples(points, depths[..., 0], weights, hidden, edges, coarse, coarse_weights)

    def shade(self, samples: RaySamples, directions: Tensor, histogram: Tensor) -> Tensor:
        """See `NeRFP.shade`."""
        code = self.exposure.code(histogram).expand(len(directions), -1)
        colours = self.field.colours(samples.hidden, F.normalize(directions, dim=-1), code)
        return self.exposure(composite(samples.weights, colours), histogram)

    def loss(self, rays: Rays, index: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `NeRFP.loss`: colour, depth, proposal, distortion, and smoothness of the planes."""
        samples = self.sample(rays.origins, rays.directions, generator)
        rgb = self.shade(samples, rays.directions, rays.histogram)
        photometric = (rgb - rays.rgb).square().mean()
        loss = photometric + proposal_loss(
            samples.edges, samples.weights, samples.proposal_edges, samples.proposal_weights
        )
        loss = loss + self.recipe.distortion_weight * distortion_loss(
            samples.edges, samples.weights
        )
        if self.recipe.depth_weight > 0:
            loss = loss + self.recipe.depth_weight * self.depth_loss(samples, rays)
        if index % SMOOTHNESS_EVERY == 0:
            roughness = self.field.planes.roughness() + self.proposal.planes.roughness()
            loss = loss + SMOOTHNESS_EVERY * self.recipe.smoothness_weight * roughness
        return loss, photometric
