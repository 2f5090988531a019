"""Which frames of a recording are worth keeping: by motion, not by count.

A robot that stands still records the same picture over and over; it teaches nothing new and makes
the standing places weigh more. Where it moves, some pictures are blurred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m


@dataclass(frozen=True)
class FrameSelection:
    """Motion divides a recording into runs; the sharpest frame of each run is kept.

    A new run begins when the camera has moved or turned this far since the run's first frame, or,
    where there are no poses, when the picture has.
    """

    min_translation_m: float = 0.02
    min_rotation_deg: float = 1.0
    min_image_motion: float = 0.04  # without poses; a share of the image's width
    every: int = 1  # look only at each n-th frame
    max_frames: int | None = None  # thin evenly down to this many
    skip_blurred: bool = True  # otherwise, the first frame of each run is kept

    def __post_init__(self) -> None:
        if self.every < 1 or (self.max_frames is not None and self.max_frames < 1):
            raise ValueError('every and max_frames must be at least 1')
        thresholds = (self.min_translation_m, self.min_rotation_deg, self.min_image_motion)
        if not all(threshold >= 0 for threshold in thresholds):  # NaN is refused, too
            raise ValueError(
                'min_translation_m, min_rotation_deg and min_image_motion must not be negative'
            )

    def runs(self, poses: Sequence[np.ndarray]) -> list[range]:
        """Poses [4, 4] in order of time, as runs of indices that are close together."""
        starts: list[int] = []
        for index, T in enumerate(poses):
            if not starts or self._moved(poses[starts[-1]], T):
                starts.append(index)
        return runs_between(starts, len(poses))

    def choose(
        self,
        runs: Sequence[range],
        sharpness: np.ndarray | None = None,
        blurred: np.ndarray | None = None,
    ) -> list[int]:
        """One index of each run: the sharpest, unless that is blurred, too; else the first.

        `sharpness` and `blurred` [n] are those of all frames.
        """
        if sharpness is None or blurred is None:
            kept = [run.start for run in runs]
        else:
            best = (run.start + int(np.argmax(sharpness[run.start : run.stop])) for run in runs)
            kept = [index for index in best if not blurred[index]]
        if self.max_frames is not None and len(kept) > self.max_frames:
            places = np.linspace(0, len(kept) - 1, self.max_frames).round().astype(int)
            kept = [kept[place] for place in places]
        return kept

    def _moved(self, T_a: np.ndarray, T_b: np.ndarray) -> bool:
        return bool(
            translation_error_m(T_b, T_a) >= self.min_translation_m
            or rotation_error_deg(T_b, T_a) >= self.min_rotation_deg
        )


def runs_between(starts: Sequence[int], count: int) -> list[range]:
    """The runs that begin at these indices, the last one of which ends at `count`."""
    return [range(a, b) for a, b in zip(starts, [*starts[1:], count])]
