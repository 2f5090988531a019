"""The losses of APRNet (paper, section 3.1; METHOD names the gaps it leaves). Means over the
batch, no weights.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from posemap_ros.geometry import rotation_error_deg, translation_error


def pose_loss(
    predicted: Tensor, true: Tensor, reduction: Literal['sum', 'mean'] = 'sum'
) -> Tensor:
    """L_pose: squared error of the 3x4 pose matrices [B, 4, 4], the sum over their 12 numbers, or
    the mean, as in DFNet.
    """
    squared = (predicted[:, :3] - true[:, :3]).square()
    return squared.mean() if reduction == 'mean' else squared.sum((1, 2)).mean()


class LearnedPoseLoss(nn.Module):
    """L_pose under learned weights: each part over its variance, whose logarithm is added and
    learned (Kendall & Cipolla 2017, equation 3; starts at their values).

    A sum over the numbers of each part: what a mean would change, the variances take back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.tensor([0.0, -3.0]))  # translation, rotation

    def forward(self, predicted: Tensor, true: Tensor) -> Tensor:
        """Poses [B, 4, 4] -> scalar."""
        squared = (predicted[:, :3] - true[:, :3]).square()
        parts = torch.stack([squared[:, :, 3].sum(1), squared[:, :, :3].sum((1, 2))], dim=-1)
        return (parts * torch.exp(-self.log_variance) + self.log_variance).sum(-1).mean()


def spread_loss(log_sigma: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    """Negative log likelihood of the pose errors under the predicted spread [B, 2].

    Position and rotation vector are taken as isotropic Gaussians of three components each. The
    errors are detached: the spread learns to describe the pose, and never excuses it.
    """
    metres = translation_error(predicted, true).detach()
    radians = torch.deg2rad(rotation_error_deg(predicted, true)).detach()
    errors = torch.stack([metres, radians], dim=-1)
    return (3.0 * log_sigma + 0.5 * errors.square() * torch.exp(-2.0 * log_sigma)).sum(-1).mean()


def image_loss(
    real: list[Tensor],
    rendered: list[Tensor],
    margin: float = 1.0,
    distance: Literal['channels', 'width'] = 'channels',
) -> Tensor:
    """L_image: triplet loss between features of photos and of renders at their poses (DFNet,
    section 3.3).

    Args:
        real, rendered: per tap [B, C, h, w], B >= 2. Negatives are the batch rolled by one; of the
            four pairings the hardest wins.
        margin: by how much farther than the counterpart the other images shall be.
        distance: over the channels of each pixel, or, as the shape of DFNet's tensors has it,
            along the width of each channel's row.
    """
    dim = {'channels': 1, 'width': 3}[distance]
    losses = []
    for photo, render in zip(real, rendered):
        if len(photo) < 2:
            raise ValueError(
                'the image loss needs a batch of 2 or more: its negatives are other images'
            )
        positive = _distance(photo, render, dim)
        other_photo, other_render = photo.roll(1, 0), render.roll(1, 0)
        pairings = (
            (photo, other_render),
            (photo, other_photo),
            (render, other_photo),
            (render, other_render),
        )
        triplets = [
            (margin + positive - _distance(anchor, negative, dim)).clamp_min(0.0).mean((1, 2))
            for anchor, negative in pairings
        ]
        losses.append(torch.stack(triplets).amax(0).mean())
    return torch.stack(losses).mean()


def _distance(a: Tensor, b: Tensor, dim: int) -> Tensor:
    # Never zero, where the root has no gradient.
    return ((a - b).square().sum(dim) + 1e-8).sqrt()


def posemap_loss(
    predicted: Tensor,
    true: Tensor,
    opacity: Tensor,
    distance: Literal['cosine', 'l2'] = 'cosine',
) -> Tensor:
    """L_posemap: 1 - cosine of pose features [B, N, C] per cell, or their L2 distance (equation
    1), averaged under the true view's opacity [B, N].
    """
    if distance == 'cosine':
        apart = 1.0 - F.cosine_similarity(predicted, true, dim=-1)
    else:
        apart = _distance(predicted, true, -1)
    return (apart * opacity).sum() / opacity.sum().clamp_min(1e-6)


def point_loss(
    points: Tensor,
    depths: Tensor,
    T_world_cam: Tensor,
    true_depths: Tensor,
    rays: Tensor,
    far_m: float,
) -> Tensor:
    """How far the predicted scene points are from those that NeRF-P shows in the cells.

    Args:
        points, depths: predicted, [B, N, 3] in the world and [B, N], metres.
        T_world_cam: [B, 4, 4] true poses.
        true_depths: [B, N] rendered there; infinite where nothing is known.
        rays: [N, 3] the cells' rays in the camera, z = 1.
        far_m: cells that show something farther away do not count.
    """
    near = true_depths < far_m
    true_depths = true_depths.where(near, torch.ones_like(true_depths))
    seen = true_depths[..., None] * rays
    true_points = seen @ T_world_cam[:, :3, :3].transpose(1, 2) + T_world_cam[:, None, :3, 3]
    mask = near.float()
    distance = ((points - true_points).square().sum(-1) + 1e-4).sqrt()
    ratio = (depths.log() - true_depths.log()).abs()
    return ((distance + 0.5 * ratio) * mask).sum() / mask.sum().clamp_min(1.0)
