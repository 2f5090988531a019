"""A share of a dataset's frames, evenly along the way that the camera went.

Every n-th frame would be an even share in time: of a robot that stands at its dock for half of a
recording, half of them would show the dock.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from posemap_ros.dataset.posed_images import PosedImages
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m

# Radians by which the view has changed. Less is how poses waver where a camera stands; more is a
# gap, another drive, or photos in no order, where nothing lies in between.
_LEAST, _MOST = 0.01, 0.5


def spread_along(dataset: PosedImages, count: int, distance_m: float) -> PosedImages:
    """As many of the frames, in their order, at equal steps of motion; all if there are no more.

    Args:
        count: of the frames to take.
        distance_m: how far away things usually are: to move so far changes the view as much as to
            turn by a radian.
    """
    total = len(dataset)
    if count >= total:
        return dataset
    way = _way(dataset.poses, distance_m)
    wanted = (np.arange(count) + 0.5) / count * way[-1]
    nearest = np.searchsorted((way[:-1] + way[1:]) / 2, wanted)
    chosen: list[int] = []
    for k, index in enumerate(nearest.tolist()):
        first = chosen[-1] + 1 if chosen else 0
        chosen.append(min(max(index, first), total - count + k))
    return replace(dataset, frames=tuple(dataset.frames[i] for i in chosen))


def _way(T_world_cam: np.ndarray, distance_m: float) -> np.ndarray:
    """How far the view had changed by each of the poses [n, 4, 4], radians [n]."""
    marks, way = [0], [0.0]
    for index, T in enumerate(T_world_cam):
        last = T_world_cam[marks[-1]]
        turn = np.radians(rotation_error_deg(T, last))
        step = float(translation_error_m(T, last) / distance_m + turn)
        if step >= _LEAST:
            marks.append(index)
            way.append(way[-1] + min(step, _MOST))
    # What follows the last mark is no motion, but still has an order.
    marks.append(len(T_world_cam))
    way.append(way[-1] + _LEAST)
    return np.interp(np.arange(len(T_world_cam)), marks, way)
