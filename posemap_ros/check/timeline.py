"""When each frame was taken, and where the camera was a moment earlier or later."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from posemap_ros.dataset import PosedImages

ASSUMED_HZ = 30.0
_LONGEST_GAP_S = 1.0  # poses further apart say nothing about the time between
_BETWEEN_DRIVES_S = 1e6


@dataclass(frozen=True, eq=False)
class Timeline:
    """Times of all frames; frames of one drive follow each other, drives are far apart.

    Attributes:
        seconds: [n] strictly increasing along `order`.
        order: [n] indices of the frames in order of time.
        drive: [n] number of each frame's drive.
        assumed: there are no stamps; the frames count as taken at 30 Hz.
    """

    seconds: np.ndarray
    order: np.ndarray
    drive: np.ndarray
    assumed: bool

    def follow(self, index: int, step: int) -> int | None:
        """The frame that comes `step` frames after this one in the same drive, if any."""
        place = int(self._place[index]) + step
        if not 0 <= place < len(self.order):
            return None
        other = int(self.order[place])
        return other if self.drive[other] == self.drive[index] else None

    def shifted(
        self, poses: np.ndarray, indices: np.ndarray, by_s: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the camera was `by_s` after frames [m] were taken: [m, 4, 4], and if known [m].

        Positions are interpolated linearly; rotations by the projection of the weighted mean onto
        the rotations, which for such short ways is the same as along the shortest turn.
        """
        if by_s == 0:
            return poses[indices], np.ones(len(indices), bool)
        seconds, ordered = self.seconds[self.order], poses[self.order]
        asked = self.seconds[indices] + by_s
        after = np.clip(np.searchsorted(seconds, asked), 1, len(seconds) - 1)
        gap = seconds[after] - seconds[after - 1]
        fraction = (asked - seconds[after - 1]) / gap
        known = (fraction >= 0) & (fraction <= 1) & (gap <= _LONGEST_GAP_S)
        weight = np.clip(fraction, 0, 1)[:, None, None]
        between = (1 - weight) * ordered[after - 1] + weight * ordered[after]
        U, _, Vt = np.linalg.svd(between[:, :3, :3])
        between[:, :3, :3] = U @ Vt
        return between, known

    @property
    def frame_s(self) -> float:
        """The usual time from one frame to the next."""
        steps = np.diff(self.seconds[self.order])
        return float(np.median(steps)) if len(steps) else 0.0

    @cached_property
    def _place(self) -> np.ndarray:
        place = np.empty_like(self.order)
        place[self.order] = np.arange(len(self.order))
        return place


def timeline_of(dataset: PosedImages) -> Timeline:
    """A drive is a folder of images; where stamps are missing, names give the order."""
    frames = dataset.frames
    drives = dataset.folders
    number = {name: i for i, name in enumerate(dict.fromkeys(drives))}
    drive = np.array([number[name] for name in drives])
    stamps = [frame.stamp_ns for frame in frames]
    assumed = None in stamps
    if assumed:
        own = np.arange(len(frames)) / ASSUMED_HZ
    else:
        own = (np.array(stamps, np.int64) - min(stamps)) / 1e9
    order = np.lexsort([own, drive])
    seconds = own + drive * _BETWEEN_DRIVES_S
    # Equal stamps would make interpolation divide by zero.
    seconds[order] = np.maximum.accumulate(seconds[order]) + 1e-6 * np.arange(len(order))
    return Timeline(seconds, order, drive, assumed)
