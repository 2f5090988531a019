"""NeRF-P on the `mlp` field: the paper's own, NeRF-H's coarse and fine network with histogram
codes and a transient head (METHOD: "NeRF-P, render branch").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from posemap_ros.nerf_p.exposure import EXPOSURES, PercentEmbedding
from posemap_ros.nerf_p.mlp_field import MlpField
from posemap_ros.nerf_p.nerf_p import NeRFP, RaySamples
from posemap_ros.nerf_p.photo_rays import Rays
from posemap_ros.nerf_p.rendering import composite, joint_weights, render_weights
from posemap_ros.nerf_p.sampling import importance_edges, stratified_edges
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import NerfRecipe

TRANSIENT_NUMBERS_PER_BIN = 2
# Added to the composited beta, so that no pixel's error counts more than so much (NeRF-W).
MIN_BETA = 0.1
TRANSIENT_WEIGHT = 0.01


@dataclass
class MlpSamples(RaySamples):
    """With what the losses need besides: the coarse network's samples, and the fine ones'
    densities.
    """

    density: Tensor  # [R, S] static, 1/m
    lengths: Tensor  # [R, S] metres along the ray
    coarse_weights: Tensor  # [R, P]
    coarse_hidden: Tensor  # [R, P, width]


class MlpNeRFP(NeRFP):
    """The coarse network says where to look, at a share of the samples, and learns colours of its
    own; the fine one is asked at all of them.
    """

    # A ray has some five times the samples of the grid's, and many times the numbers at each.
    chunk_rays = 1024

    def __init__(self, scene: SceneFrame, recipe: NerfRecipe) -> None:
        super().__init__(scene, recipe)
        layers, width = recipe.mlp.layers, recipe.mlp.width
        self.exposure = EXPOSURES[recipe.appearance]()
        transient_width = 0
        if recipe.mlp.transient:
            self.transient_code = PercentEmbedding(TRANSIENT_NUMBERS_PER_BIN)
            transient_width = self.transient_code.code_width
        self.coarse = MlpField(scene, layers, width)
        self.field = MlpField(scene, layers, width, self.exposure.code_width, transient_width)
        self.pose_branch = self.make_pose_branch(width)

    def depths(self, spacing: Tensor) -> Tensor:
        """Sample positions in [0, 1] to metres: linear in depth, as NeRF-H's."""
        near, far = self.scene.near_m, self.recipe.mlp.reach * self.scene.middle_m
        return near + spacing * (far - near)

    def lengths(self, edges: Tensor, directions: Tensor) -> Tensor:
        """Lengths [R, S] in metres along rays of directions [R, 3] between edges [R, S + 1].

        The last sample stands for everything behind it.
        """
        depths = self.depths(edges)
        depths = torch.cat([depths[:, :-1], torch.full_like(depths[:, :1], self.scene.far_m)], 1)
        return depths.diff(dim=-1) * directions.norm(dim=-1, keepdim=True)

    def sample(
        self, origins: Tensor, directions: Tensor, generator: torch.Generator | None = None
    ) -> MlpSamples:
        """See `NeRFP.sample`."""

        def points(edges: Tensor, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
            depths = self.depths(0.5 * (edges[:, 1:] + edges[:, :-1]))
            return depths, origins[:, None] + depths[..., None] * directions[:, None]

        coarse = stratified_edges(
            len(origins), self.recipe.proposal_samples, generator, origins.device
        )
        # The coarse network decides where to look, which has no gradient: none is traced to the
        # pose through it.
        _, where = points(coarse, origins.detach(), directions.detach())
        coarse_density, coarse_hidden = self.coarse.density_and_hidden(where)
        coarse_weights = render_weights(coarse_density, self.lengths(coarse, directions.detach()))
        drawn = importance_edges(coarse, coarse_weights, self.recipe.final_samples + 1, generator)
        edges = torch.cat([coarse, drawn[:, 1:-1]], dim=-1).sort(dim=-1).values
        depths, where = points(edges, origins, directions)
        density, hidden = self.field.density_and_hidden(where)
        lengths = self.lengths(edges, directions)
        weights = render_weights(density, lengths)
        return MlpSamples(
            where, depths, weights, hidden, density, lengths, coarse_weights, coarse_hidden
        )

    def shade(self, samples: MlpSamples, directions: Tensor, histogram: Tensor) -> Tensor:
        """See `NeRFP.shade`: the static scene, unless the recipe asks for NeRF-H's composite."""
        colours = self._colours(samples, directions, histogram)
        if self.recipe.mlp.render_transient and self.recipe.mlp.transient:
            rgb, _, _ = self._with_transient(samples, colours, histogram)
        else:
            rgb = composite(samples.weights, colours)
        return self.exposure(rgb, histogram)

    def loss(self, rays: Rays, index: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See `NeRFP.loss`: NeRF-W's, with half the coarse network's squared error; and depth, if
        the recipe asks for it.
        """
        samples = self.sample(rays.origins, rays.directions, generator)
        unit = F.normalize(rays.directions, dim=-1)
        no_code = unit[:, :0]
        coarse_colours = self.coarse.colours(samples.coarse_hidden, unit, no_code)
        coarse_rgb = composite(samples.coarse_weights, coarse_colours)
        loss = 0.5 * (coarse_rgb - rays.rgb).square().mean()
        if self.recipe.depth_weight > 0:
            loss = loss + self.recipe.depth_weight * self.depth_loss(samples, rays)
        colours = self._colours(samples, rays.directions, rays.histogram)
        if not self.recipe.mlp.transient:
            rgb = self.exposure(composite(samples.weights, colours), rays.histogram)
            squared = (rgb - rays.rgb).square()
            return loss + 0.5 * squared.mean(), squared.mean()
        rgb, beta, transient_density = self._with_transient(samples, colours, rays.histogram)
        squared = (self.exposure(rgb, rays.histogram) - rays.rgb).square()
        # NeRF-H's densities are in units of its scaled scene, ours of the scene's radius.
        transient_density = transient_density * self.scene.radius_m
        return loss + transient_loss(squared, beta, transient_density), squared.mean()

    def _colours(self, samples: MlpSamples, directions: Tensor, histogram: Tensor) -> Tensor:
        """Static colours [R, S, 3]."""
        code = self.exposure.code(histogram).expand(len(directions), -1)
        return self.field.colours(samples.hidden, F.normalize(directions, dim=-1), code)

    def _with_transient(
        self, samples: MlpSamples, colours: Tensor, histogram: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Composite of both parts.

        Returns:
            RGB [R, 3], beta [R], transient density [R, S] in 1/m.
        """
        code = self.transient_code.code(histogram).expand(len(samples.hidden), -1)
        density, rgb, beta = self.field.transient(samples.hidden, code)
        static, transient = joint_weights(samples.density, density, samples.lengths)
        return (
            composite(static, colours) + composite(transient, rgb),
            (transient * beta).sum(-1) + MIN_BETA,
            density,
        )


def transient_loss(squared: Tensor, beta: Tensor, density: Tensor) -> Tensor:
    """Scalar: mean(err^2 / (2 beta^2)) + (3 + mean log beta) + 0.01 mean(density) (NeRF-W,
    equation 13).

    Args:
        squared: [R, 3] squared colour errors.
        beta: [R] standard deviation of each ray's colour.
        density: [R, S] of the transient part, in 1 / scene unit.
    """
    weighted = (squared / (2.0 * beta[:, None].square())).mean()
    return weighted + 3.0 + beta.log().mean() + TRANSIENT_WEIGHT * density.mean()
