"""The floor that a robot drives on: what is known of its pose before any image. No ROS in here.

The mapping drive shows where `base_frame` can be: at one height over one plane, upright on it. A
pose that leaves that plane is an error of the pose, and because errors go together (a camera that
seems to look up seems to be further back), taking it out betters the rest of the pose, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from posemap_ros.node.fix import Fix
from posemap_ros.node.frames import base_in_map

# No floor is flatter, and no robot stiffer, than this.
_FLATTEST_M, _FLATTEST_RAD = 0.005, np.radians(0.25)
# A drive with more than this, as a standard deviation, was not on one plane.
_UNEVEN_M, _UNEVEN_RAD = 0.1, np.radians(3.0)
# What a pose may be off the floor, beyond its standard deviations, before it is worth a word.
_SIGMAS, _OFF_M, _OFF_RAD = 4.0, 0.1, np.radians(3.0)


@dataclass(frozen=True, eq=False)
class Floor:
    """The plane of a robot's poses.

    Attributes:
        up: [3] unit length, the robot's z axis in the map.
        height: of the robot's origin along `up`, metres.
        sigma_m, sigma_rad: by how much the mapped poses leave the plane, standard deviations of
            the height, and of each of both tilts.
    """

    up: np.ndarray
    height: float
    sigma_m: float
    sigma_rad: float

    @classmethod
    def of(cls, T_map_base: np.ndarray) -> Floor:
        """The floor under poses [N, 4, 4] of the robot, N >= 1; some may be outliers."""
        ups = T_map_base[:, :3, 2]
        up = np.median(ups, axis=0)
        up /= np.linalg.norm(up)
        heights = T_map_base[:, :3, 3] @ up
        height = float(np.median(heights))
        tilts = np.linalg.norm(np.cross(ups, up), axis=1)
        return cls(
            up,
            height,
            # Of a normal distribution half are within 0.674 standard deviations, and in two
            # dimensions within 1.177.
            max(_FLATTEST_M, float(np.median(np.abs(heights - height)) / 0.674)),
            max(_FLATTEST_RAD, float(np.arcsin(np.median(tilts)) / 1.177)),
        )

    @property
    def objection(self) -> str:
        """Why there is no such floor; '' if there is."""
        if self.sigma_m <= _UNEVEN_M and self.sigma_rad <= _UNEVEN_RAD:
            return ''
        return (
            'the mapping drive was not on one level: usually it was '
            f'{self.sigma_m:.2f} m and {np.degrees(self.sigma_rad):.1f} deg off'
        )

    def settled(self, fix: Fix) -> Fix:
        """A fix with the height and the tilt of the floor, and the most likely rest.

        What goes along with height and tilt by the covariance follows them. Height and tilt stay
        as unsure as the floor is.
        """
        H = self._constraint()
        C = fix.covariance
        gain = C @ H.T @ np.linalg.inv(H @ C @ H.T)
        step = gain @ self._off(fix)
        T = np.eye(4)
        T[:3, :3] = cv2.Rodrigues(step[3:])[0] @ fix.T_map_base[:3, :3]
        T[:3, :3] = _turn(T[:3, 2], self.up) @ T[:3, :3]  # the rest of a large step
        T[:3, 3] = fix.T_map_base[:3, 3] + step[:3]
        T[:3, 3] += (self.height - self.up @ T[:3, 3]) * self.up
        left = np.eye(6) - gain @ H
        floor = np.diag([self.sigma_m**2, self.sigma_rad**2, self.sigma_rad**2])
        covariance = left @ C @ left.T + gain @ floor @ gain.T
        return replace(fix, T_map_base=T, covariance=(covariance + covariance.T) / 2)

    def doubt(self, fix: Fix) -> str:
        """What a fix far from the floor means; '' for one that is not."""
        off = self._off(fix)
        spread = np.sqrt(np.diag(self._constraint() @ fix.covariance @ self._constraint().T))
        metres, radians = abs(off[0]), float(np.linalg.norm(off[1:]))
        high = metres > _OFF_M + _SIGMAS * np.hypot(spread[0], self.sigma_m)
        tilted = radians > _OFF_RAD + _SIGMAS * np.hypot(spread[1:].max(), self.sigma_rad)
        if not high and not tilted:
            return ''
        return (
            f'planar puts a pose onto the mapped floor from {metres:.2f} m and '
            f'{np.degrees(radians):.1f} deg off it: if that goes on, the camera is mounted '
            'otherwise than for the mapping drive, or TF is wrong about it, or the floor is not '
            'one plane'
        )

    def _constraint(self) -> np.ndarray:
        """[3, 6]: how a step of the pose, shift and turn in map axes, changes height and tilt."""
        a = np.cross(self.up, np.eye(3)[np.abs(self.up).argmin()])
        a /= np.linalg.norm(a)
        H = np.zeros((3, 6))
        H[0, :3], H[1, 3:], H[2, 3:] = self.up, a, np.cross(self.up, a)
        return H

    def _off(self, fix: Fix) -> np.ndarray:
        """[3]: by how much height and tilt have to change, as `_constraint` has them."""
        turn = cv2.Rodrigues(_turn(fix.T_map_base[:3, 2], self.up))[0].ravel()
        height = self.height - self.up @ fix.T_map_base[:3, 3]
        return self._constraint() @ np.concatenate([height * self.up, turn])


class Planar:
    """Puts fixes onto the mapped floor.

    Args:
        T_map_cam: [N, 4, 4] poses of the camera in the mapping drive, N >= 1.
    """

    def __init__(self, T_map_cam: np.ndarray) -> None:
        self._T_map_cam = T_map_cam
        self._mount = np.full((4, 4), np.nan)
        self._floor: Floor | None = None

    def settled(self, fix: Fix, T_base_cam: np.ndarray) -> tuple[Fix, str]:
        """A fix of the robot on the floor that the mapping drive had if the camera was mounted
        then as it is now; and a sentence where something speaks against that, or ''.
        """
        if not np.array_equal(T_base_cam, self._mount):
            self._mount = T_base_cam
            self._floor = Floor.of(base_in_map(self._T_map_cam, T_base_cam))
        if objection := self._floor.objection:
            return fix, f'planar has no effect: {objection}'
        return self._floor.settled(fix), self._floor.doubt(fix)


def _turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest rotation [3, 3] that turns the direction a to b."""
    axis = np.cross(a, b)
    sine, cosine = np.linalg.norm(axis), float(a @ b)
    if sine < 1e-12:
        if cosine > 0:
            return np.eye(3)
        axis, sine = np.cross(a, np.eye(3)[np.abs(a).argmin()]), 1e-300
    return cv2.Rodrigues(axis / np.linalg.norm(axis) * np.arctan2(sine, cosine))[0]
