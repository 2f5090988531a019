"""Volume rendering: densities along a ray to the weights of its samples (paper, equations 3 and
4).
"""

from __future__ import annotations

import torch
from torch import Tensor


def render_weights(density: Tensor, lengths: Tensor) -> Tensor:
    """Weights [R, S] of samples with densities [R, S] (1/m) on intervals of lengths [R, S] (m).

    ``w_i = T_i (1 - exp(-sigma_i delta_i))``, ``T_i = exp(-sum_{j<i} sigma_j delta_j)``.
    """
    optical_depth = density * lengths
    before = torch.cumsum(optical_depth, dim=-1) - optical_depth
    return torch.exp(-before) * -torch.expm1(-optical_depth)


def joint_weights(static: Tensor, transient: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [R, S] of a static and of a transient part with densities [R, S] that hide each
    other (NeRF-W, equation 10).
    """
    depth = (static + transient) * lengths
    passed = torch.exp(depth - torch.cumsum(depth, dim=-1))
    return (
        passed * -torch.expm1(-static * lengths),
        passed * -torch.expm1(-transient * lengths),
    )


def composite(weights: Tensor, values: Tensor) -> Tensor:
    """Sum of values [R, S, C] under weights [R, S]: [R, C]."""
    return torch.einsum('rs,rsc->rc', weights, values)


def weights_from_depth(where: Tensor, weights: Tensor, true: Tensor) -> Tensor:
    """How far the weights [R, S] of samples at [R, S] are from one depth [R]: [R].

    The mean way by which weight has to be moved (Wasserstein-1 to a single point). Unlike a loss
    on the mean depth, it does not rest before all weight is in one place; unlike a likelihood
    (DS-NeRF), it pulls from however far, and outliers pull no harder than others. It says nothing
    about how opaque a ray is: where it could make weight vanish, it would.
    """
    total = weights.sum(-1)
    return (weights * (where - true[:, None]).abs()).sum(-1) / (total + 1e-3)


def proposal_loss(
    edges: Tensor, weights: Tensor, proposal_edges: Tensor, proposal_weights: Tensor
) -> Tensor:
    """Scalar: by how much the proposal's histogram [R, P] fails to bound the field's weights [R,
    S].

    mip-NeRF 360, equation 13: each final interval's weight may be at most the sum of the weights
    of the proposal intervals that it overlaps. Gradients reach only the proposal.
    """
    edges, weights = edges.detach(), weights.detach()
    total = torch.cat(
        [torch.zeros_like(proposal_weights[:, :1]), proposal_weights.cumsum(-1)], dim=-1
    )
    last = proposal_weights.shape[-1]
    first_edge = (
        torch.searchsorted(proposal_edges.contiguous(), edges[:, :-1].contiguous(), right=True) - 1
    )
    last_edge = torch.searchsorted(
        proposal_edges.contiguous(), edges[:, 1:].contiguous(), right=False
    )
    bound = total.gather(-1, last_edge.clamp(0, last)) - total.gather(
        -1, first_edge.clamp(0, last)
    )
    return ((weights - bound).clamp_min(0.0) ** 2 / (weights + 1e-5)).sum(-1).mean()


def distortion_loss(edges: Tensor, weights: Tensor) -> Tensor:
    """Scalar that is small where each ray's weights sit close together (mip-NeRF 360, equation
    15).
    """
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
    width = edges[:, 1:] - edges[:, :-1]
    # sum_ij w_i w_j |m_i - m_j| is twice the sum over j before i, where the middles are ordered.
    before = weights.cumsum(-1) - weights
    moment_before = (weights * middle).cumsum(-1) - weights * middle
    apart = 2.0 * (weights * (middle * before - moment_before)).sum(-1)
    within = (weights**2 * width).sum(-1) / 3.0
    return (apart + within).mean()
