"""Whether a solved pose is believed, and why not.

Neither the number of matches nor the solver's covariance can be trusted: repeated texture matches
by the dozen, and chance gives every pose some. What chance cannot do is to put landmarks all over
the image to within a pixel or two, in most of the parts in which they should be. So parts of the
image are counted, not matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posemap_ros.verification.calibration import Calibration

GRID = (12, 9)  # parts of the image, across and down
_FEWEST_CELLS = 10
# What is less sure than this, in a room, is no verified pose, however well it is supported.
_MOST_SIGMA_M, _MOST_SIGMA_DEG = 0.08, 3.0


@dataclass(frozen=True)
class Evidence:
    """What speaks for a solved pose.

    Attributes:
        inliers: keypoints that lie where their landmarks project, less those that chance puts
            there.
        cells: parts of the image with at least one of them.
        cells_expected: parts with keypoints, in which landmarks should be visible from there.
        sigma_m, sigma_deg: predicted spread, per axis.
        agrees: whether the network's estimate, or the prior, is about the same pose.
    """

    inliers: float
    cells: int
    cells_expected: int
    sigma_m: float
    sigma_deg: float
    agrees: bool

    @property
    def share(self) -> float:
        """Of the parts in which landmarks should be visible, those where some are."""
        return self.cells / max(self.cells_expected, self.cells, 1)

    @property
    def support(self) -> float:
        """One number for both: many parts, and most of those in which landmarks should be."""
        return self.cells * self.share


def objection(evidence: Evidence, calibration: Calibration, scale: float) -> str:
    """Why a pose is not believed; '' where it is.

    Args:
        scale: of lengths, as of `Visibility`: 1 in a room.
    """
    agrees = evidence.agrees
    needed = calibration.support_agreeing if agrees else calibration.support_alone
    few = min(evidence.inliers, evidence.cells) < _FEWEST_CELLS
    if few or evidence.support < needed:
        seen = (
            f'Landmarks were found in {evidence.cells} of the {evidence.cells_expected} parts of '
            'the image in which they should be'
        )
        if agrees or few or evidence.support < calibration.support_agreeing:
            return f'{seen}: too few.'
        return f'{seen}: too few where neither the estimate nor the last verified pose is near.'
    if evidence.sigma_m > _MOST_SIGMA_M * scale or evidence.sigma_deg > _MOST_SIGMA_DEG:
        return (
            'The landmarks that were found hold the pose only to '
            f'{evidence.sigma_m:.2f} m and {evidence.sigma_deg:.1f} deg.'
        )
    return ''
