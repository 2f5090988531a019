"""The `mlp` field: NeRF-H's networks, after NeRF-W (METHOD: "NeRF-P, render branch")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.nerf_p.encodings import positional_encoding
from posemap_ros.nerf_p.layers import chained_linear
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.support.device import mixed_precision

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
        self.last = nn.Linear(width, width)  # without an activation, as NeRF's
        narrow = width // 2
        self.colour = nn.Sequential(
            nn.Linear(width + DIRECTION_WIDTH + code_width, narrow),
            nn.ReLU(inplace=True),
            nn.Linear(narrow, 3),
        )
        if transient_width:
            self.transient_head = nn.Sequential(
                nn.Linear(width + transient_width, narrow),
                nn.ReLU(inplace=True),
                *(p for _ in range(3) for p in (nn.Linear(narrow, narrow), nn.ReLU(inplace=True))),
                nn.Linear(narrow, 5),
            )

    def density_and_hidden(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [..., 3] -> density [...] in 1/m, and hidden values [..., width] from which
        the rest is made.
        """
        encoded = positional_encoding(2.0 * self.scene.normalise(points), POSITION_FREQUENCIES)
        with mixed_precision(points.device):
            x = encoded
            for index, layer in enumerate(self.trunk):
                x = layer(torch.cat([encoded, x], dim=-1) if index == SKIP else x).relu_()
            density = self.density(x)[..., 0]
        return F.softplus(density.to(points)) / self.scene.radius_m, x.to(points)

    def feature(self, hidden: Tensor) -> Tensor:
        """Hidden values [..., width] -> position-only features [..., feature_width]."""
        return self.last(hidden)

    def colours(self, hidden: Tensor, directions: Tensor, code: Tensor) -> Tensor:
        """Hidden values [R, S, width] seen along unit directions [R, 3] under appearance codes [R,
        code_width] -> RGB [R, S, 3] in [0, 1].
        """
        seen = torch.cat([positional_encoding(directions, DIRECTION_FREQUENCIES), code], dim=-1)
        with mixed_precision(hidden.device):
            x = chained_linear(hidden, self.last.weight, self.last.bias, self.colour[0], seen)
            out = self.colour[1:](x)
        return torch.sigmoid(out.to(hidden))

    def transient(self, hidden: Tensor, code: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What one image shows besides the static scene, from hidden values [R, S, width] and its
        transient codes [R, transient_width].

        Returns:
            density [R, S] in 1/m, RGB [R, S, 3] in [0, 1], and beta [R, S] > 0, the standard
            deviation of the image's colour there.
        """
        first, rest = self.transient_head[0], self.transient_head[1:]
        with mixed_precision(hidden.device):
            x = chained_linear(hidden, self.last.weight, self.last.bias, first, code)
            out = rest(x)
        out = out.to(hidden)
        density = F.softplus(out[..., 0]) / self.scene.radius_m
        return density, torch.sigmoid(out[..., 1:4]), F.softplus(out[..., 4])
