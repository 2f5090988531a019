"""How far a pose may be off: the covariance that estimates, verified poses and fixes share."""

from __future__ import annotations

import numpy as np


class HasPoseCovariance:
    """Whatever has a ``covariance`` [6, 6]: of x, y, z (m^2) and the rotations about x, y, z
    (rad^2), in the fixed axes of the map, as REP-103 orders them.
    """

    covariance: np.ndarray

    @property
    def sigma_translation_m(self) -> float:
        """Standard deviation of the position, root of the mean over the axes."""
        return float(np.sqrt(np.trace(self.covariance[:3, :3]) / 3.0))

    @property
    def sigma_rotation_deg(self) -> float:
        """Standard deviation of the rotation about an axis, root of the mean over the axes."""
        return float(np.degrees(np.sqrt(np.trace(self.covariance[3:, 3:]) / 3.0)))
