"""The `grid` field: multi-resolution feature planes, read with ``grid_sample``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.device import mixed_precision
from posemap_ros.nerf_p.encodings import DIRECTION_FEATURES, encode_direction
from posemap_ros.nerf_p.scene import SceneFrame


class FeaturePlanes(nn.Module):
    """Features of points in [-1, 1]^3 from three axis-aligned planes per resolution, multiplied
    (K-Planes).
    """

    def __init__(self, resolutions: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.width = channels * len(resolutions)
        self.planes = nn.ParameterList(
            nn.Parameter(torch.empty(3, channels, size, size).uniform_(0.1, 0.5))
            for size in resolutions
        )

    def forward(self, points: Tensor) -> Tensor:
        """[N, 3] in [-1, 1] -> [N, width]."""
        x, y, z = points.unbind(-1)
        where = torch.stack([torch.stack(pair, -1) for pair in ((x, y), (x, z), (y, z))])[:, None]
        levels = []
        for plane in self.planes:
            read = F.grid_sample(plane, where, align_corners=True, padding_mode='border')
            xy, xz, yz = read[:, :, 0]
            levels.append(xy * xz * yz)  # prod() would be slower: its gradient allows for zeros
        return torch.cat(levels).t()

    def roughness(self) -> Tensor:
        """Mean squared step between neighbouring cells: what a smoothness prior keeps small."""
        return sum(
            p.diff(dim=-1).square().mean() + p.diff(dim=-2).square().mean() for p in self.planes
        )


class ProposalField(nn.Module):
    """A coarse density that says where along a ray the real field is worth asking."""

    def __init__(self, scene: SceneFrame, resolution: int = 64, channels: int = 8) -> None:
        super().__init__()
        self.scene = scene
        self.planes = FeaturePlanes((resolution,), channels)
        self.density = nn.Sequential(nn.Linear(channels, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, points: Tensor) -> Tensor:
        """World points [..., 3] -> density [...] in 1/m."""
        feature = self.planes(self.scene.normalise(points).reshape(-1, 3))
        with mixed_precision(points.device):
            out = self.density(feature)
        return trunc_exp(out.to(points)).reshape(points.shape[:-1]) / self.scene.radius_m


class GridField(nn.Module):
    """Density, colour and a position-only feature, from feature planes and two small MLPs."""

    def __init__(
        self,
        scene: SceneFrame,
        resolutions: tuple[int, ...] = (64, 128, 256),
        channels: int = 16,
        code_width: int = 0,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.scene = scene
        self.feature_width = hidden
        self.planes = FeaturePlanes(resolutions, channels)
        self.trunk = nn.Sequential(
            nn.Linear(self.planes.width, hidden), nn.ReLU(), nn.Linear(hidden, hidden + 1)
        )
        self.colour = nn.Sequential(
            nn.Linear(hidden + DIRECTION_FEATURES + code_width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 3),
        )

    def density_and_feature(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [..., 3] -> density [...] in 1/m, position-only feature [...,
        feature_width].
        """
        feature = self.planes(self.scene.normalise(points).reshape(-1, 3))
        with mixed_precision(points.device):
            out = self.trunk(feature)
        out = out.to(points).reshape(*points.shape[:-1], -1)
        return trunc_exp(out[..., 0]) / self.scene.radius_m, out[..., 1:]

    def colours(self, feature: Tensor, directions: Tensor, code: Tensor) -> Tensor:
        """Features [..., feature_width] seen along unit directions [..., 3] under appearance codes
        [..., code_width] -> RGB [..., 3] in [0, 1].
        """
        inputs = torch.cat([feature, encode_direction(directions), code], dim=-1)
        with mixed_precision(inputs.device):
            out = self.colour(inputs)
        return torch.sigmoid(out.to(inputs))


class _TruncExp(torch.autograd.Function):
    """exp whose gradient is bounded, so that one dense sample cannot throw the optimiser (instant-
    ngp).
    """

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.exp(x.clamp_max(15.0))

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * torch.exp(x.clamp(-15.0, 15.0))


def trunc_exp(x: Tensor) -> Tensor:
    """exp(x), capped at exp(15)."""
    return _TruncExp.apply(x)
