"""Depth of a photo by dense optical flow to others whose poses are known.

The other photo is turned, as an image, to look the same way: then all that moves is parallax,
which flow follows best, and which moves along lines through one point. Flow that leaves those
lines, or does not come back, is wrong; what two others say must agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from posemap_ros.camera import Camera

_LARGEST_ROUND_TRIP_PX = 1.0  # there and back again
_LARGEST_ERROR_PX = 1.0  # from the line along which parallax moves
_FLOW_PX = 0.25  # how exact the flow is at best
_LEAST_PARALLAX_DEG = 0.7
_AGREES = 2.0, 0.03  # standard deviations, and of the inverse depth besides
_LEAST_AGREEING = 2, 0.6  # others, and share of those that say something


@dataclass(frozen=True)
class DepthByFlow:
    """Finds depths of one camera's photos.

    Attributes:
        camera: of the photos, without distortion.
        grid: the same camera at the size in which depths are wanted.
    """

    camera: Camera
    grid: Camera

    def __call__(
        self, photo: np.ndarray, others: list[np.ndarray], T_photo_others: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Depths [h, w] on the grid, metres along the optical axis, and their standard deviations;
        both 0 where unknown.

        Args:
            photo: grey uint8 [H, W].
            others: the same.
            T_photo_others: [4, 4] their poses in the photo's frame.
        """
        if len(others) < _LEAST_AGREEING[0]:
            unknown = np.zeros((self.grid.height, self.grid.width), np.float32)
            return unknown, unknown
        said = [self._by(photo, other, T) for other, T in zip(others, T_photo_others)]
        inverse, sigma = (np.stack(part) for part in zip(*said))  # [k, h, w]
        known = np.isfinite(inverse)
        middle = np.nanmedian(np.where(known.any(axis=0), inverse, 0.0), axis=0)
        agrees = known & (np.abs(inverse - middle) < _AGREES[0] * sigma + _AGREES[1] * middle)
        count = agrees.sum(axis=0)
        good = (count >= _LEAST_AGREEING[0]) & (count >= _LEAST_AGREEING[1] * known.sum(axis=0))
        information = np.where(agrees, 1.0 / sigma**2, 0.0)
        total = np.where(good, information.sum(axis=0), 1.0)
        mean = np.where(agrees, inverse * information, 0.0).sum(axis=0) / total
        depths = np.divide(1.0, mean, out=np.zeros_like(mean), where=good)
        return depths.astype(np.float32), (depths**2 / np.sqrt(total)).astype(np.float32)

    def _by(
        self, photo: np.ndarray, other: np.ndarray, T_photo_other: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Inverse depths [h, w] by one other photo, and their standard deviations; NaN where
        unknown.
        """
        turned, inside = self._turn(other, T_photo_other[:3, :3])
        there, back = self._flow.calc(photo, turned, None), self._flow.calc(turned, photo, None)
        start = self._pixels
        there = _read(there, start)
        target = start + there
        round_trip = np.linalg.norm(there + _read(back, target, outside=1e6), axis=-1)
        seen = _read(inside, target) > 0.99

        # A point at inverse depth w on ray r moves to r' with r' (1 - w c_z) = r - w c, where c is
        # the other camera's centre: two equations for w, of which one leaves a residual.
        rays, moved = self._rays(start), self._rays(target)
        centre = T_photo_other[:3, 3]
        coefficient = (centre[:2] - moved * centre[2]) * self.camera.fx
        difference = (rays - moved) * self.camera.fx
        length = np.maximum(np.linalg.norm(coefficient, axis=-1), 1e-9)
        inverse = (coefficient * difference).sum(-1) / length**2
        (a, b), (x, y) = np.moveaxis(coefficient, -1, 0), np.moveaxis(difference, -1, 0)
        error = np.abs(a * y - b * x) / length
        parallax = np.degrees(length * inverse / self.camera.fx)
        good = (
            seen
            & (round_trip < _LARGEST_ROUND_TRIP_PX)
            & (error < _LARGEST_ERROR_PX)
            & (parallax > _LEAST_PARALLAX_DEG)
        )
        noise = np.sqrt(_FLOW_PX**2 + (0.5 * round_trip) ** 2 + error**2)
        return np.where(good, inverse, np.nan), np.where(good, noise / length, np.nan)

    def _turn(self, image: np.ndarray, rotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The image [H, W] of a camera whose axes are the columns of a rotation [3, 3], as if it
        had looked straight ahead; and which of those pixels it saw, float32 [H, W].
        """
        camera = self.camera
        x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
        y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
        rays = np.stack([*np.meshgrid(x, y), np.ones((camera.height, camera.width))], axis=-1)
        where = (camera.project(rays @ rotation) - 0.5).astype(np.float32)
        where[~np.isfinite(where)] = -1e4
        inside = ((where >= 0) & (where <= (camera.width - 1, camera.height - 1))).all(axis=-1)
        turned = cv2.remap(
            image, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return turned, inside.astype(np.float32)

    def _rays(self, pixels: np.ndarray) -> np.ndarray:
        """Directions [..., 2] with z = 1 of pixels [..., 2] as OpenCV counts them."""
        camera = self.camera
        return (pixels + 0.5 - (camera.cx, camera.cy)) / (camera.fx, camera.fy)

    @cached_property
    def _pixels(self) -> np.ndarray:
        """Centres [h, w, 2] of the grid's pixels in the photo, as OpenCV counts them."""
        camera, grid = self.camera, self.grid
        u = (np.arange(grid.width) + 0.5) * camera.width / grid.width - 0.5
        v = (np.arange(grid.height) + 0.5) * camera.height / grid.height - 0.5
        return np.stack(np.meshgrid(u, v), axis=-1)

    @cached_property
    def _flow(self) -> cv2.DISOpticalFlow:
        """Down to the full resolution, which takes a fifth off the error of its presets."""
        flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow.setFinestScale(0)
        return flow


def _read(image: np.ndarray, pixels: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """Values [h, w, ...] of an image between its pixels [h, w, 2]."""
    x, y = np.moveaxis(pixels.astype(np.float32), -1, 0)
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderValue=(outside,) * 4)
