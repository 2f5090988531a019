"""Whether predicted spreads describe the errors that are found.

A spread is the standard deviation along each axis, of the position in metres or of the rotation
vector in radians. Three such axes make the length of the error follow a chi distribution with
three degrees of freedom.
"""

from __future__ import annotations

import numpy as np

# How many standard deviations around its centre hold this share of an isotropic normal
# distribution in three dimensions.
CHI3_QUANTILES = {0.5: 1.5382, 0.9: 2.5003}


def fit_scale(errors: np.ndarray, sigma: np.ndarray) -> float:
    """The factor for spreads [N] after which half of the errors [N] lie inside their 50 % radius.

    The median, so that a single image that was taken for another place does not make all
    estimates look unsure.
    """
    return float(np.median(errors / sigma) / CHI3_QUANTILES[0.5])


def share_inside(errors: np.ndarray, sigma: np.ndarray, expected: float) -> float:
    """Share of errors [N] inside the radius that spreads [N] expect to hold the share
    ``expected`` (0.5 or 0.9).
    """
    return float(np.mean(errors <= CHI3_QUANTILES[expected] * sigma))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's correlation of two series [N] in -1..1; NaN where one of them is constant."""
    ranks = [_ranks(np.asarray(values)) for values in (a, b)]
    if any(np.ptp(r) == 0 for r in ranks):
        return float('nan')
    return float(np.corrcoef(*ranks)[0, 1])


def calibration(errors: np.ndarray, sigma: np.ndarray, what: str) -> dict[str, float]:
    """Figures of the fit of spreads [N] to errors [N], named after ``what``: the shares found
    inside the 50 and 90 % radii, and the rank correlation of spread and error.
    """
    found = {
        f'{what}_inside_{round(100 * q)}': share_inside(errors, sigma, q) for q in CHI3_QUANTILES
    }
    return {**found, f'{what}_spread_correlation': rank_correlation(sigma, errors)}


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of values [N] from 0; equal ones share their mean rank."""
    unique, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts + 1))[index]
