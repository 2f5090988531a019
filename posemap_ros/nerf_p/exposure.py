"""How the camera saw the scene, from one image's luma histogram: exposure, white balance, light.

Two forms of it, each a module with ``code_width``, ``code(histogram)`` and ``forward(rgb,
histogram)``: NeRF-H gives the colour layer a code per image, NeFeS transforms the rendered colour.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

HISTOGRAM_BINS = 10
# Rec. 601 luma, as NeRF-H's RGB -> YUV conversion.
LUMA = (0.299, 0.587, 0.114)
_PIXELS_AT_ONCE = 1 << 20  # 50 MB while they are counted


def luma_histogram(images: Tensor) -> Tensor:
    """Share of pixels in each of 10 luma bins: uint8 RGB images [B, H, W, 3] -> [B, 10], rows sum
    to 1.
    """
    _, height, width, _ = images.shape
    at_once = max(1, _PIXELS_AT_ONCE // (height * width))
    return torch.cat([_count(part) for part in images.split(at_once)])


def _count(images: Tensor) -> Tensor:
    luma = images.float() @ torch.tensor(LUMA, device=images.device)
    bins = (luma * (HISTOGRAM_BINS / 256.0)).long().clamp_(0, HISTOGRAM_BINS - 1).flatten(1)
    counts = torch.zeros(len(images), HISTOGRAM_BINS, device=images.device)
    counts.scatter_add_(1, bins, torch.ones_like(bins, dtype=torch.float32))
    return counts / bins.shape[1]


class AffineExposure(nn.Module):
    """Histogram -> affine colour transform. Starts as the identity; works on histograms never
    seen.
    """

    code_width = 0

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(HISTOGRAM_BINS, hidden), nn.ReLU(), nn.Linear(hidden, 12)
        )
        nn.init.zeros_(self.mlp[-1].weight)
        nn.init.zeros_(self.mlp[-1].bias)

    def code(self, histogram: Tensor) -> Tensor:
        """Nothing for the colour layer: [N, 0]."""
        return histogram[:, :0]

    def forward(self, rgb: Tensor, histogram: Tensor) -> Tensor:
        """Scene colours [N, 3] as the camera with luma histogram [N, 10] (or [1, 10]) shows them:
        [N, 3].
        """
        transform = self.mlp(histogram).reshape(-1, 3, 4)
        return rgb + (transform[:, :, :3] @ rgb[:, :, None])[..., 0] + transform[:, :, 3]


class PercentEmbedding(nn.Module):
    """NeRF-H's code: each bin's share in whole percent looks up a few numbers in one table.

    Percentages that no training image had keep the table's random start.
    """

    NUMBERS_PER_BIN = 5
    code_width = HISTOGRAM_BINS * NUMBERS_PER_BIN

    def __init__(self, numbers_per_bin: int = NUMBERS_PER_BIN) -> None:
        super().__init__()
        self.table = nn.Embedding(101, numbers_per_bin)
        self.code_width = HISTOGRAM_BINS * numbers_per_bin

    def code(self, histogram: Tensor) -> Tensor:
        """Luma histograms [N, 10] -> codes [N, 10 * numbers_per_bin]."""
        return self.table((100.0 * histogram).round().long().clamp(0, 100)).flatten(1)

    def forward(self, rgb: Tensor, histogram: Tensor) -> Tensor:
        """Colours as they are: the colour layer has seen the code already."""
        return rgb


EXPOSURES = {'affine': AffineExposure, 'percent_embedding': PercentEmbedding}
