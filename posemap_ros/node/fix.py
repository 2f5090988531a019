"""A fix: where the robot was at one moment, how sure that is, and what odometry said then."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from posemap_ros.node.frames import distance
from posemap_ros.pose_covariance import HasPoseCovariance
from posemap_ros.rigid import invert

# How fast a pose that is carried on becomes unsure, as standard deviations for each axis. By
# odometry: wheels that slip by some per cent of the way and of the turns, and drift at rest.
_ODOMETRY_M_PER_M, _ODOMETRY_M_PER_S = 0.03, 0.01
_ODOMETRY_DEG_PER_DEG, _ODOMETRY_DEG_PER_S = 0.05, 0.5
# Without odometry the robot may have gone and turned as robots do.
_UNKNOWN_M_PER_S, _UNKNOWN_DEG_PER_S = 0.5, 30.0


@dataclass(frozen=True, eq=False)
class Fix(HasPoseCovariance):
    """Where the robot was when one image was taken."""

    stamp: float  # seconds, of the image
    T_map_base: np.ndarray  # [4, 4]
    covariance: np.ndarray  # [6, 6] of x, y, z and the rotations about x, y, z, fixed map axes
    T_odom_base: np.ndarray | None  # [4, 4] at the stamp; None for a robot without odometry

    def carried(self, to: Fix) -> Fix:
        """This fix at the moment of another one, by the motion that odometry reports between.

        Without odometry it stays where it is, and becomes unsure much faster.
        """
        seconds = abs(to.stamp - self.stamp)
        if self.T_odom_base is None or to.T_odom_base is None:
            T_map_base = self.T_map_base
            metres, degrees = _UNKNOWN_M_PER_S * seconds, _UNKNOWN_DEG_PER_S * seconds
        else:
            T_then_now = invert(self.T_odom_base) @ to.T_odom_base
            T_map_base = self.T_map_base @ T_then_now
            gone, turned = distance(self.T_odom_base, to.T_odom_base)
            metres = _ODOMETRY_M_PER_M * gone + _ODOMETRY_M_PER_S * seconds
            degrees = _ODOMETRY_DEG_PER_DEG * turned + _ODOMETRY_DEG_PER_S * seconds
        grown = np.repeat([metres**2, np.radians(degrees) ** 2], 3)
        return replace(to, T_map_base=T_map_base, covariance=self.covariance + np.diag(grown))
