"""Layers along rays, without work that can be spared."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def chained_linear(
    hidden: Tensor, weight: Tensor, bias: Tensor, layer: nn.Linear, per_ray: Tensor
) -> Tensor:
    """``layer([weight h + bias, r])`` for samples h [R, S, H] and what is the same along each ray,
    r [R, C]: [R, S, out].

    Nothing lies between the two linear layers, so their matrices are multiplied instead of the
    samples, and r is multiplied once a ray.
    """
    of_sample, of_ray = layer.weight.split([len(weight), per_ray.shape[-1]], dim=-1)
    constant = F.linear(per_ray, of_ray, layer.bias) + of_sample @ bias
    return F.linear(hidden, of_sample @ weight).add_(constant[:, None])
