"""The `mlp` field: NeRF-H's networks, after NeRF-W (METHOD: "NeRF-P, render branch")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.device import mixed_precision
from posemap_ros.nerf_p.encodings import positional_encoding
from posemap_ros.nerf_p.scene import SceneFrame

POSITION_FREQUENCIES = 10
DIRECTION_FREQUENCIES = 4
POSITION_WIDTH = 3 * (1 + 2 * POSITION_FREQUENCIES)
DIRECTION_WIDTH = 3 * (1 + 2 * DIRECTION_FREQUENCIES)
# The position joins in again before this layer.
SKIP = 4


class MlpField(nn.Module):
    """Density, colour and a position-only feature from an encoded position; the coarse network, or
    with codes the fine one.

    Args:
        scene: positions are contracted by it, to [-1, 1] inside its cube and [-2, 2] in all.
        layers, width: of the trunk.
        code_width: of the appearance code that the colour layer takes.
        transient_width: of the code that the transient head takes; 0 for no such head.
    """

    def __init__(
        self,
        scene: SceneFrame,
        layers: int = 8,
        width: int = 128,
        code_width: int = 0,
        transient_width: int = 0,
    ) -> None:
        super().__init__()
        self.scene = scene
        self.feature_width = width
        widths = [POSITION_WIDTH] + [width] * (layers - 1)
        if layers > SKIP:
            widths[SKIP] += POSITION_WIDTH
        self.trunk = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.density = nn.Linear(width, 1)
        self.feature = nn.Linear(width, width)
        self.colour = nn.Sequential(
            nn.Linear(width + DIRECTION_WIDTH + code_width, width // 2),
            nn.ReLU(),
            nn.Linear(width // 2, 3),
        )
        if transient_width:
            narrow = width // 2
            self.transient_trunk = nn.Sequential(
                nn.Linear(width + transient_width, narrow),
                nn.ReLU(),
                *(part for _ in range(3) for part in (nn.Linear(narrow, narrow), nn.ReLU())),
            )
            self.transient_out = nn.Linear(narrow, 5)

    def density_and_feature(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [..., 3] -> density [...] in 1/m, position-only feature [...,
        feature_width].
        """
        encoded = positional_encoding(2.0 * self.scene.normalise(points), POSITION_FREQUENCIES)
        with mixed_precision(points.device):
            x = encoded
            for index, layer in enumerate(self.trunk):
                x = layer(torch.cat([encoded.to(x), x], dim=-1) if index == SKIP else x).relu()
            density, feature = self.density(x)[..., 0], self.feature(x)
        return F.softplus(density.to(points)) / self.scene.radius_m, feature.to(points)

    def colours(self, feature: Tensor, directions: Tensor, code: Tensor) -> Tensor:
        """Features [..., feature_width] seen along unit directions [..., 3] under appearance codes
        [..., code_width] -> RGB [..., 3] in [0, 1].
        """
        seen = positional_encoding(directions, DIRECTION_FREQUENCIES)
        with mixed_precision(feature.device):
            out = self.colour(torch.cat([feature, seen, code], dim=-1))
        return torch.sigmoid(out.to(feature))

    def transient(self, feature: Tensor, code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What one image shows besides the static scene, from features [..., feature_width] and
        its transient codes [..., transient_width].

        Returns:
            density [...] in 1/m, RGB [..., 3] in [0, 1], and beta [...] > 0, the standard
            deviation of the image's colour there.
        """
        with mixed_precision(feature.device):
            out = self.transient_out(self.transient_trunk(torch.cat([feature, code], dim=-1)))
        out = out.to(feature)
        density = F.softplus(out[..., 0]) / self.scene.radius_m
        return density, torch.sigmoid(out[..., 1:4]), F.softplus(out[..., 4])
