"""Exposure and white balance of one image, from its luma histogram (NeFeS's form of NeRF-H's
appearance code).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

HISTOGRAM_BINS = 10
# Rec. 601 luma, as NeRF-H's RGB -> YUV conversion.
LUMA = (0.299, 0.587, 0.114)


def luma_histogram(images: Tensor) -> Tensor:
    """Share of pixels in each of 10 luma bins: uint8 RGB images [B, H, W, 3] -> [B, 10], rows sum
    to 1.
    """
    luma = images.float() @ torch.tensor(LUMA, device=images.device)
    bins = (luma * (HISTOGRAM_BINS / 256.0)).long().clamp_(0, HISTOGRAM_BINS - 1).flatten(1)
    counts = torch.zeros(len(images), HISTOGRAM_BINS, device=images.device)
    counts.scatter_add_(1, bins, torch.ones_like(bins, dtype=torch.float32))
    return counts / bins.shape[1]


class AffineExposure(nn.Module):
    """Histogram -> affine colour transform. Starts as the identity; works on histograms never
    seen.
    """

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(HISTOGRAM_BINS, hidden), nn.ReLU(), nn.Linear(hidden, 12)
        )
        nn.init.zeros_(self.mlp[-1].weight)
        nn.init.zeros_(self.mlp[-1].bias)

    def forward(self, rgb: Tensor, histogram: Tensor) -> Tensor:
        """Scene colours [N, 3] as the camera with luma histogram [N, 10] (or [1, 10]) shows them:
        [N, 3].
        """
        transform = self.mlp(histogram).reshape(-1, 3, 4)
        return rgb + (transform[:, :, :3] @ rgb[:, :, None])[..., 0] + transform[:, :, 3]
