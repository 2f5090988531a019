"""Feature vectors as colours: what is alike looks alike (paper, Figure 5)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

# Colours span all but this share of the values at either end, so that no outlier takes the range.
_CUT = 0.01


class PseudoColour:
    """The three main components (PCA) of feature vectors, as red, green and blue.

    Pictures can be compared if one `PseudoColour` has made them.

    Args:
        features: [N, C], of all pictures that are to be compared.
    """

    def __init__(self, features: Tensor) -> None:
        features = features.float()
        self._mean = features.mean(0)
        centred = features - self._mean
        # Eigenvalues rise, so the last vectors are the main components.
        axes = torch.linalg.eigh(centred.t() @ centred)[1][:, -3:].flip(1)
        # The sign of a component is arbitrary; fixed here, so that colours do not flip from one
        # call to the next.
        self._axes = torch.where(axes.sum(0) < 0, -axes, axes)
        values = (centred @ self._axes).sort(0).values
        cut = int(_CUT * len(values))
        self._low, self._high = values[cut], values[len(values) - 1 - cut]

    def __call__(self, features: Tensor) -> np.ndarray:
        """Colours uint8 [..., 3] of features [..., C]."""
        values = (features.float() - self._mean) @ self._axes
        share = (values - self._low) / (self._high - self._low).clamp_min(1e-6)
        return (255.0 * share.clamp(0.0, 1.0)).round().to(torch.uint8).cpu().numpy()
