"""How far a pose may be off: the covariance that estimates, verified poses and fixes share.

Covariances are [6, 6], of x, y, z (m^2) and the rotations about x, y, z (rad^2), in the fixed axes
of the map, as REP-103 orders them.
"""

from __future__ import annotations

import numpy as np


def sigma_translation_m(covariance: np.ndarray) -> float:
    """Standard deviation of the position, root of the mean over the axes."""
    return float(np.sqrt(np.trace(covariance[:3, :3]) / 3.0))


def sigma_rotation_deg(covariance: np.ndarray) -> float:
    """Standard deviation of the rotation about an axis, root of the mean over the axes."""
    return float(np.degrees(np.sqrt(np.trace(covariance[3:, 3:]) / 3.0)))


class HasPoseCovariance:
    """Whatever has a ``covariance``."""

    covariance: np.ndarray

    @property
    def sigma_translation_m(self) -> float:
        """See `sigma_translation_m`."""
        return sigma_translation_m(self.covariance)

    @property
    def sigma_rotation_deg(self) -> float:
        """See `sigma_rotation_deg`."""
        return sigma_rotation_deg(self.covariance)
