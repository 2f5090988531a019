"""The `grid` field: multi-resolution feature planes, read with ``grid_sample``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.nerf_p.encodings import DIRECTION_FEATURES, encode_direction
from posemap_ros.nerf_p.layers import chained_linear
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.support.device import mixed_precision


class FeaturePlanes(nn.Module):
    """Features of points in [-1, 1]^3 from three axis-aligned planes per resolution, multiplied
    (K-Planes).
    """

    def __init__(self, resolutions: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.width = channels * len(resolutions)
        # A cell's channels lie together in memory, because they are read together.
        self.planes = nn.ParameterList(
            nn.Parameter(
                torch.empty(3, channels, size, size)
                .uniform_(0.1, 0.5)
                .contiguous(memory_format=torch.channels_last)
            )
            for size in resolutions
        )

    def forward(self, points: Tensor) -> Tensor:
        """[N, 3] in [-1, 1] -> [N, width]."""
        trained = points.requires_grad or any(plane.requires_grad for plane in self.planes)
        if points.device.type == 'cpu' and not (trained and torch.is_grad_enabled()):
            return torch.cat([_read_rows(plane, points) for plane in self.planes], dim=-1)
        return torch.cat([_read_planes(plane, points) for plane in self.planes]).t()

    def roughness(self) -> Tensor:
        """Mean squared step between neighbouring cells: what a smoothness prior keeps small."""
        return sum(
            p.diff(dim=-1).square().mean() + p.diff(dim=-2).square().mean() for p in self.planes
        )


def _read_planes(planes: Tensor, points: Tensor) -> Tensor:
    """Product [C, N] of three planes [3, C, size, size] at points [N, 3], bilinearly."""
    x, y, z = points.unbind(-1)
    where = torch.stack([torch.stack(pair, -1) for pair in ((x, y), (x, z), (y, z))])[:, None]
    read = F.grid_sample(planes, where, align_corners=True, padding_mode='border')
    xy, xz, yz = read[:, :, 0]
    return xy * xz * yz  # prod() would be slower: its gradient allows for zeros


def _read_rows(planes: Tensor, points: Tensor) -> Tensor:
    """The same without gradients and transposed, [N, C], in half the time on a CPU: grid_sample
    gathers a cell's channels one by one.
    """
    _, channels, size, _ = planes.shape
    rows = planes.permute(0, 2, 3, 1).reshape(-1, channels)  # no copy
    place = ((points.t() + 1.0) * (0.5 * (size - 1))).clamp_(0.0, size - 1.0)
    low = place.floor().clamp_max_(size - 2.0)
    fraction, low = place.sub_(low), low.int()
    offsets = torch.tensor([0, 1, size, size + 1], dtype=torch.int32)
    weights = points.new_empty(len(points), 4)  # of the corners, in the same order
    top_left, top_right, bottom_left, bottom_right = weights.unbind(-1)
    product = None
    for plane, (u, v) in enumerate(((0, 1), (0, 2), (1, 2))):
        torch.mul(fraction[u], fraction[v], out=bottom_right)
        torch.sub(fraction[v], bottom_right, out=bottom_left)
        torch.sub(fraction[u], bottom_right, out=top_right)
        torch.sub(1.0 - fraction[u], bottom_left, out=top_left)
        first = (low[v] + plane * size) * size + low[u]
        read = F.embedding_bag(
            first[:, None] + offsets, rows, mode='sum', per_sample_weights=weights
        )
        product = read if product is None else product.mul_(read)
    return product


class ProposalField(nn.Module):
    """A coarse density that says where along a ray the real field is worth asking."""

    def __init__(self, scene: SceneFrame, resolution: int = 64, channels: int = 8) -> None:
        super().__init__()
        self.scene = scene
        self.planes = FeaturePlanes((resolution,), channels)
        self.density = nn.Sequential(
            nn.Linear(channels, 16), nn.ReLU(inplace=True), nn.Linear(16, 1)
        )

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
            nn.Linear(self.planes.width, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 1 + hidden),  # density and feature
        )
        self.colour = nn.Sequential(
            nn.Linear(hidden + DIRECTION_FEATURES + code_width, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 3),
        )

    def density_and_hidden(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [..., 3] -> density [...] in 1/m, and hidden values [..., H] from which the
        rest is made.
        """
        values = self.planes(self.scene.normalise(points).reshape(-1, 3))
        last = self.trunk[2]
        with mixed_precision(points.device):
            hidden = self.trunk[:2](values)
            density = F.linear(hidden, last.weight[:1], last.bias[:1])
        size = points.shape[:-1]
        return (
            trunc_exp(density.to(points)).reshape(size) / self.scene.radius_m,
            hidden.to(points).reshape(*size, -1),
        )

    def feature(self, hidden: Tensor) -> Tensor:
        """Hidden values [..., H] -> position-only features [..., feature_width]."""
        last = self.trunk[2]
        return F.linear(hidden, last.weight[1:], last.bias[1:])

    def colours(self, hidden: Tensor, directions: Tensor, code: Tensor) -> Tensor:
        """Hidden values [R, S, H] seen along unit directions [R, 3] under appearance codes [R,
        code_width] -> RGB [R, S, 3] in [0, 1].
        """
        last = self.trunk[2]
        seen = torch.cat([encode_direction(directions), code], dim=-1)
        with mixed_precision(hidden.device):
            x = chained_linear(hidden, last.weight[1:], last.bias[1:], self.colour[0], seen)
            out = self.colour[1:](x)
        return torch.sigmoid(out.to(hidden))


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
