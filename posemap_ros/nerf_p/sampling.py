"""Where along a ray a field is asked: stratified first, then where the proposal saw something."""

from __future__ import annotations

import torch
from torch import Tensor


def stratified_edges(
    rays: int, samples: int, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """Edges [rays, samples + 1] of intervals over [0, 1], jittered by a generator if given."""
    edges = torch.linspace(0.0, 1.0, samples + 1, device=device).expand(rays, -1)
    if generator is None:
        return edges
    jitter = torch.rand((rays, samples + 1), generator=generator).to(device) - 0.5
    jitter[:, 0] = jitter[:, -1] = 0.0
    return edges + jitter / samples


def importance_edges(
    edges: Tensor,
    weights: Tensor,
    samples: int,
    generator: torch.Generator | None,
    padding: float = 0.01,
) -> Tensor:
    """Draw interval edges [R, samples + 1] in proportion to weights [R, S] on intervals with edges
    [R, S + 1].

    Inverse-transform sampling of the piecewise constant density. ``padding`` keeps every interval
    possible, so that a wrong proposal can be corrected. No gradient flows through the positions.
    """
    weights = weights.detach() + padding / weights.shape[-1]
    cdf = torch.cumsum(weights / weights.sum(-1, keepdim=True), dim=-1)
    cdf = torch.cat([torch.zeros_like(cdf[:, :1]), cdf], dim=-1)
    cdf[:, -1] = 1.0
    targets = torch.linspace(0.0, 1.0, samples + 1, device=edges.device).expand(edges.shape[0], -1)
    if generator is not None:
        jitter = torch.rand(targets.shape, generator=generator).to(edges.device) - 0.5
        targets = (targets + jitter / samples).clamp(0.0, 1.0)
    right = torch.searchsorted(cdf, targets.contiguous(), right=True).clamp(1, cdf.shape[-1] - 1)
    cdf_low, cdf_high = cdf.gather(-1, right - 1), cdf.gather(-1, right)
    edge_low, edge_high = edges.gather(-1, right - 1), edges.gather(-1, right)
    fraction = ((targets - cdf_low) / (cdf_high - cdf_low).clamp_min(1e-8)).clamp(0.0, 1.0)
    return edge_low + fraction * (edge_high - edge_low)
