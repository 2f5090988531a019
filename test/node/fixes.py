"""Fixes of a robot on a plane, for tests."""

from __future__ import annotations

import numpy as np

from posemap_ros.node.fix import Fix


def at(x: float, degrees: float = 0.0) -> np.ndarray:
    """The pose [4, 4] at x metres, turned about z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, x], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def fix(
    pose: np.ndarray,
    odometry: np.ndarray | None = None,
    sigma: tuple[float, float] = (0.1, 1.0),
    stamp: float = 0.0,
) -> Fix:
    """A fix with standard deviations in metres and degrees."""
    metres, degrees = sigma
    covariance = np.diag(np.repeat([metres**2, np.radians(degrees) ** 2], 3))
    return Fix(stamp, pose, covariance, odometry)
