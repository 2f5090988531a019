"""The plain reference for the field: NeRF-H as published, in eager PyTorch, nothing spared.

Coarse and fine network of NeRF-W's shape with the codes of NeRF-H, every input concatenated for
every sample, in a scene that is scaled and nothing more.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COARSE, FINE = 64, 64


def encode(x: Tensor, frequencies: int) -> Tensor:
    """NeRF's positional encoding of [..., 3]."""
    waves = [f(2.0**k * x) for k in range(frequencies) for f in (torch.sin, torch.cos)]
    return torch.cat([x, *waves], dim=-1)


class Network(nn.Module):
    """Eight layers of 128, and the heads of NeRF-W."""

    def __init__(self, fine: bool) -> None:
        super().__init__()
        self.fine = fine
        self.layers = nn.ModuleList(
            nn.Linear(63 if i == 0 else 128 + 63 * (i == 4), 128) for i in range(8)
        )
        self.density, self.last = nn.Linear(128, 1), nn.Linear(128, 128)
        self.direction = nn.Linear(128 + 27 + 50 * fine, 64)
        self.rgb = nn.Linear(64, 3)
        if fine:
            self.transient = nn.ModuleList(nn.Linear(148 if i == 0 else 64, 64) for i in range(4))
            self.transient_out = nn.Linear(64, 5)

    def forward(
        self, points: Tensor, directions: Tensor, appearance: Tensor, transient: Tensor
    ) -> tuple[Tensor, ...]:
        """Of points, unit directions and codes, all [N, .]: static density and colour; of the fine
        network also transient density, colour and beta.
        """
        encoded = encode(points, 10)
        x = encoded
        for i, layer in enumerate(self.layers):
            x = F.relu(layer(torch.cat([encoded, x], dim=-1) if i == 4 else x))
        density, x = F.softplus(self.density(x)[:, 0]), self.last(x)
        seen = [x, encode(directions, 4)] + ([appearance] if self.fine else [])
        rgb = torch.sigmoid(self.rgb(F.relu(self.direction(torch.cat(seen, dim=-1)))))
        if not self.fine:
            return density, rgb
        x = torch.cat([x, transient], dim=-1)
        for layer in self.transient:
            x = F.relu(layer(x))
        out = self.transient_out(x)
        parts = F.softplus(out[:, 0]), torch.sigmoid(out[:, 1:4]), F.softplus(out[:, 4])
        return density, rgb, *parts


class NerfH(nn.Module):
    """Both networks and the tables of codes.

    Args:
        centre, scale: of the scene: points are (x - centre) / scale.
        near, far: of the samples, in scaled units.
    """

    def __init__(self, centre: Tensor, scale: float, near: float, far: float) -> None:
        super().__init__()
        self.register_buffer('centre', centre)
        self.scale, self.near, self.far = scale, near, far
        self.coarse, self.fine = Network(fine=False), Network(fine=True)
        self.appearance, self.transient = nn.Embedding(101, 5), nn.Embedding(101, 2)

    def render(
        self, origins: Tensor, directions: Tensor, histogram: Tensor, jitter: bool
    ) -> tuple[Tensor, ...]:
        """Rays [R, 3] under luma histograms [R, 10] -> coarse colour, static colour, colour of
        both parts, beta, transient density.
        """
        rays = len(origins)
        origins = (origins - self.centre) / self.scale
        percent = (100.0 * histogram).round().long()
        codes = self.appearance(percent).flatten(1), self.transient(percent).flatten(1)
        z = torch.linspace(self.near, self.far, COARSE, device=origins.device).expand(rays, -1)
        if jitter:
            middle = 0.5 * (z[:, 1:] + z[:, :-1])
            low = torch.cat([z[:, :1], middle], dim=-1)
            high = torch.cat([middle, z[:, -1:]], dim=-1)
            z = low + (high - low) * torch.rand_like(z)
        density, rgb = self._ask(self.coarse, origins, directions, z, codes)
        weights = self._weights(density, self._lengths(z, directions))
        coarse = (weights[..., None] * rgb).sum(1)
        drawn = self._draw(0.5 * (z[:, 1:] + z[:, :-1]), weights[:, 1:-1].detach(), jitter)
        z = torch.cat([z, drawn], dim=-1).sort(dim=-1).values
        density, rgb, t_density, t_rgb, t_beta = self._ask(
            self.fine, origins, directions, z, codes
        )
        lengths = self._lengths(z, directions)
        static = (self._weights(density, lengths)[..., None] * rgb).sum(1)
        alpha = 1.0 - torch.exp(-(density + t_density) * lengths)
        passed = self._passed(alpha)
        seen = passed * (1.0 - torch.exp(-density * lengths))
        t_seen = passed * (1.0 - torch.exp(-t_density * lengths))
        both = (seen[..., None] * rgb).sum(1) + (t_seen[..., None] * t_rgb).sum(1)
        return coarse, static, both, (t_seen * t_beta).sum(-1) + 0.1, t_density

    def loss(
        self, origins: Tensor, directions: Tensor, histogram: Tensor, true_rgb: Tensor
    ) -> Tensor:
        """NeRF-W's."""
        coarse, _, both, beta, density = self.render(origins, directions, histogram, True)
        loss = 0.5 * (coarse - true_rgb).square().mean()
        loss = loss + ((both - true_rgb).square() / (2.0 * beta[:, None] ** 2)).mean()
        return loss + 3.0 + beta.log().mean() + 0.01 * density.mean()

    @staticmethod
    def _ask(
        network: Network, origins: Tensor, directions: Tensor, z: Tensor, codes: tuple[Tensor, ...]
    ) -> list[Tensor]:
        points = origins[:, None] + z[..., None] * directions[:, None]
        unit = F.normalize(directions, dim=-1)
        count = z.shape[1]
        beside = [v.repeat_interleave(count, dim=0) for v in (unit, *codes)]
        out = network(points.flatten(0, 1), *beside)
        return [v.reshape(*z.shape, *v.shape[1:]) for v in out]

    @staticmethod
    def _lengths(z: Tensor, directions: Tensor) -> Tensor:
        lengths = torch.cat([z.diff(dim=-1), torch.full_like(z[:, :1], 1e10)], dim=-1)
        return lengths * directions.norm(dim=-1, keepdim=True)

    @staticmethod
    def _passed(alpha: Tensor) -> Tensor:
        before = torch.cat([torch.ones_like(alpha[:, :1]), 1.0 - alpha + 1e-10], dim=-1)
        return before.cumprod(dim=-1)[:, :-1]

    @classmethod
    def _weights(cls, density: Tensor, lengths: Tensor) -> Tensor:
        alpha = 1.0 - torch.exp(-density * lengths)
        return alpha * cls._passed(alpha)

    @staticmethod
    def _draw(edges: Tensor, weights: Tensor, jitter: bool) -> Tensor:
        """NeRF's sample_pdf."""
        pdf = (weights + 1e-5) / (weights + 1e-5).sum(-1, keepdim=True)
        cdf = torch.cat([torch.zeros_like(pdf[:, :1]), pdf.cumsum(-1)], dim=-1)
        shape = (len(edges), FINE)
        if jitter:
            u = torch.rand(shape, device=edges.device)
        else:
            u = torch.linspace(0.0, 1.0, FINE, device=edges.device).expand(shape).contiguous()
        index = torch.searchsorted(cdf, u, right=True)
        low, high = (index - 1).clamp_min(0), index.clamp_max(cdf.shape[-1] - 1)
        cdf_low, cdf_high = cdf.gather(-1, low), cdf.gather(-1, high)
        span = torch.where(cdf_high - cdf_low < 1e-5, 1.0, cdf_high - cdf_low)
        edge_low = edges.gather(-1, low)
        return edge_low + (u - cdf_low) / span * (edges.gather(-1, high) - edge_low)
