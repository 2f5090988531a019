"""Whether a solved pose is believed, and why not.

Neither the number of matches nor the solver's covariance can be trusted: repeated texture matches
by the dozen, and chance gives every pose some. What chance cannot do is to put matches all over
the image to within a pixel or two. So cells of the image are counted in which that happened, and
compared with those in which it should have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posemap_ros.verification.calibration import Calibration

GRID = (12, 9)  # cells across and down
# What is less sure than this is no verified pose, however well it is supported.
MOST_SIGMA_M, MOST_SIGMA_DEG = 0.08, 3.0


@dataclass(frozen=True)
class Evidence:
    """What speaks for a solved pose.

    Attributes:
        origin: what led to it: 'prior', 'estimate' or 'look-alike photos'.
        inliers: keypoints that lie where their landmarks project, less those that chance puts
            there.
        cells: cells of the image with at least one of them.
        cells_expected: cells with keypoints, in which landmarks should be visible from there.
        sigma_m, sigma_deg: predicted spread, per axis.
        agrees: whether the network's estimate, or the prior, is about the same pose.
    """

    origin: str
    inliers: float
    cells: int
    cells_expected: int
    sigma_m: float
    sigma_deg: float
    agrees: bool

    @property
    def share(self) -> float:
        """Of the cells in which landmarks should be visible, those where some are."""
        return self.cells / max(self.cells_expected, 1)


def objection(evidence: Evidence, calibration: Calibration) -> str:
    """Why a pose is not believed; '' where it is."""
    agrees = evidence.agrees
    cells = calibration.cells_agreeing if agrees else calibration.cells_alone
    share = calibration.share_agreeing if agrees else calibration.share_alone
    alone = '' if agrees else ', and neither the estimate nor the last verified pose is near'
    if evidence.inliers < cells or evidence.cells < cells:
        return (
            f'Landmarks were found in {evidence.cells} of {GRID[0] * GRID[1]} parts of the image, '
            f'{cells} are needed{alone}.'
        )
    if evidence.share < share:
        return (
            f'Landmarks were found in {100 * evidence.share:.0f} % of the parts of the image in '
            f'which they should be, {100 * share:.0f} % are needed{alone}.'
        )
    if evidence.sigma_m > MOST_SIGMA_M or evidence.sigma_deg > MOST_SIGMA_DEG:
        return (
            'The landmarks found hold the pose only to '
            f'{evidence.sigma_m:.2f} m and {evidence.sigma_deg:.1f} deg.'
        )
    return ''
