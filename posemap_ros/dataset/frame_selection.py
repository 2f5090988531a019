"""Which frames of a recording are worth keeping: by motion, not by count.

A robot that stands still records the same picture over and over; it teaches nothing new and makes
the standing places weigh more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posemap_ros.evaluation import rotation_error_deg, translation_error_m


@dataclass(frozen=True)
class FrameSelection:
    """A frame is kept if the camera has moved or turned this far since the last one kept."""

    min_translation_m: float = 0.02
    min_rotation_deg: float = 1.0
    every: int = 1  # look only at each n-th frame
    max_frames: int | None = None  # thin evenly down to this many

    def __post_init__(self) -> None:
        if self.every < 1 or (self.max_frames is not None and self.max_frames < 1):
            raise ValueError('every and max_frames must be at least 1')
        if self.min_translation_m < 0 or self.min_rotation_deg < 0:
            raise ValueError('min_translation_m and min_rotation_deg must not be negative')

    def choose(self, poses: Sequence[np.ndarray]) -> list[int]:
        """Indices of the poses [4, 4], which are in order of time, that are kept."""
        kept: list[int] = []
        for index in range(0, len(poses), self.every):
            if not kept or self._moved(poses[kept[-1]], poses[index]):
                kept.append(index)
        if self.max_frames is not None and len(kept) > self.max_frames:
            places = np.linspace(0, len(kept) - 1, self.max_frames).round().astype(int)
            kept = [kept[place] for place in places]
        return kept

    def _moved(self, T_a: np.ndarray, T_b: np.ndarray) -> bool:
        return bool(
            translation_error_m(T_b, T_a) >= self.min_translation_m
            or rotation_error_deg(T_b, T_a) >= self.min_rotation_deg
        )
