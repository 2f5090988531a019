"""Positions and directions as numbers that a small network can work with."""

from __future__ import annotations

import torch
from torch import Tensor

DIRECTION_FEATURES = 9


def encode_direction(directions: Tensor) -> Tensor:
    """Real spherical harmonics up to degree 2 of unit vectors [..., 3]: [..., 9], constants left
    to the MLP.
    """
    x, y, z = directions.unbind(-1)
    terms = [torch.ones_like(x), x, y, z, x * y, y * z, z * x, x * x - y * y, 3 * z * z - 1]
    return torch.stack(terms, dim=-1)


def positional_encoding(values: Tensor, frequencies: int) -> Tensor:
    """NeRF's encoding (equation 4, and the values themselves): [..., C] -> [..., C (1 + 2 F)].

    The values, then for each k < F their sines and their cosines at frequency 2^k.
    """
    scales = 2.0 ** torch.arange(frequencies, device=values.device, dtype=values.dtype)
    angles = values[..., None, :] * scales[:, None]
    waves = torch.stack([angles.sin(), angles.cos()], dim=-2).flatten(-3)
    return torch.cat([values, waves], dim=-1)
