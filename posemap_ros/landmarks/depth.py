"""NeRF-P's depth along single rays, and how sure it is."""

from __future__ import annotations

import numpy as np
import torch

from posemap_ros.nerf_p.nerf_p import NeRFP


@torch.no_grad()
def ray_depths(
    nerf: NeRFP, origins: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the field is along rays, without rendering more than them.

    Args:
        origins: [n, 3] in the world, metres.
        directions: [n, 3] in the world, of unit length along the optical axis, so that depth is z.

    Returns:
        depths [n] at which half of each ray's weight is passed, and their spread [n]: half of the
        way over which it grows from 16 to 84 %, one standard deviation of a normal distribution.
    """
    device = next(nerf.parameters()).device
    parts = []
    rays = zip(
        torch.from_numpy(origins).float().split(nerf.chunk_rays),
        torch.from_numpy(directions).float().split(nerf.chunk_rays),
    )
    for o, d in rays:
        samples = nerf.sample(o.to(device), d.to(device))
        passed = samples.weights.cumsum(-1)
        passed = passed / passed[:, -1:].clamp_min(1e-9)
        at = [(passed < share).sum(-1, keepdim=True) for share in (0.5, 0.16, 0.84)]
        last = passed.shape[-1] - 1
        middle, near, far = (samples.depths.gather(-1, i.clamp_max(last))[:, 0] for i in at)
        parts.append(torch.stack([middle, 0.5 * (far - near)]).cpu())
    depths, spreads = torch.cat(parts, dim=1).double().numpy()
    return depths, spreads
