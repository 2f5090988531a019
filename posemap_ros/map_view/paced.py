"""Pictures as fine as a given time allows, on whatever machine and for whatever field."""

from __future__ import annotations

import time
from dataclasses import dataclass

import cv2
import numpy as np

from posemap_ros.map_view.rendering import MapRenderer

PICTURE_HEIGHT = 240
# Levels: at the finest, views have a ray for each pixel, and PoseMaps eight times as many rows and
# columns as the network's. Half as fine is enough for a PoseMap to be that fine, too.
_FINEST = 8


@dataclass(frozen=True, eq=False)
class MapPictures:
    """What the map shows at a pose: uint8 RGB [240, w, 3] each."""

    view: np.ndarray
    posemap: np.ndarray


class PacedRenderer:
    """Renders views and PoseMaps in about `seconds` for both, as finely as that allows.

    The work grows with the square of the fineness. The first pictures are the coarsest; how long
    each took says how fine the next may be.
    """

    def __init__(self, renderer: MapRenderer, seconds: float) -> None:
        self._renderer, self._seconds = renderer, seconds
        self.camera = renderer.camera(PICTURE_HEIGHT)  # whose pictures these are
        self._fineness = 1

    def __call__(self, T_map_cam: np.ndarray, photo: np.ndarray) -> MapPictures:
        """The pictures at a pose [4, 4], exposed like `photo`, uint8 RGB [h, w, 3]."""
        began = time.perf_counter()
        fineness = self._fineness
        view = self._renderer.view(T_map_cam, photo, PICTURE_HEIGHT * fineness // _FINEST)
        posemap = self._renderer.posemap(T_map_cam, min(2 * fineness, _FINEST))
        took = time.perf_counter() - began
        self._fineness = next_fineness(fineness, took, self._seconds)
        size = (self.camera.width, self.camera.height)
        return MapPictures(*(cv2.resize(p, size) for p in (view, posemap)))


def next_fineness(fineness: int, took: float, seconds: float) -> int:
    """How fine the next pictures may be: coarser at once, finer step by step."""
    affordable = fineness * (seconds / max(took, 1e-6)) ** 0.5
    return int(np.clip(affordable, 1, min(fineness + 1, _FINEST)))
