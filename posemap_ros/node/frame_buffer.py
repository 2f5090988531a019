"""The frames that refine will learn from: few, and spread over where the robot has been."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# Standing still for this long is as much reason for another frame as moving by 1 m or 1 rad.
_SECONDS_PER_METRE = 20.0
# Frames nearer than this (metres + radians + time / 20 s) to the last one show nothing new.
_MINIMUM_GAP = 0.05


@dataclass(frozen=True)
class _Entry:
    stamp: float
    image: np.ndarray
    T_odom_base: np.ndarray | None


class FrameBuffer:
    """At most `capacity` uint8 RGB frames, none older than `horizon` seconds. Thread-safe.

    When full, the frame goes that is nearest to its two neighbours in time, by position, angle and
    time together. So a robot that waits at a door for ten minutes does not forget the corridor.
    Odometry measures the motion rather than the estimated poses: it is smooth, and right even
    while the estimates are wrong, which is when refine is needed most.
    """

    def __init__(self, capacity: int, horizon: float) -> None:
        if capacity < 3:
            raise ValueError(f'a frame buffer needs room for 3 frames or more, not {capacity}')
        self._capacity = capacity
        self._horizon = horizon
        self._entries: list[_Entry] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def wants(self, stamp: float, T_odom_base: np.ndarray | None = None) -> bool:
        """Whether a frame taken then and there is worth the cost of preparing it."""
        with self._lock:
            if not self._entries:
                return True
            return _gap(self._entries[-1], _Entry(stamp, None, T_odom_base)) >= _MINIMUM_GAP

    def add(self, stamp: float, image: np.ndarray, T_odom_base: np.ndarray | None = None) -> None:
        """Keep `image` [h, w, 3] uint8, taken at `stamp` seconds."""
        with self._lock:
            self._entries.append(_Entry(stamp, image, T_odom_base))
            while self._entries[0].stamp < stamp - self._horizon:
                self._entries.pop(0)
            if len(self._entries) > self._capacity:
                self._drop_most_redundant()

    def images(self) -> np.ndarray:
        """All frames, oldest first, as a new uint8 array [N, h, w, 3]."""
        with self._lock:
            images = [entry.image for entry in self._entries]
        return np.stack(images) if images else np.zeros((0, 0, 0, 3), np.uint8)

    def clear(self) -> None:
        """Forget all frames."""
        with self._lock:
            self._entries.clear()

    def _drop_most_redundant(self) -> None:
        entries = self._entries
        gaps = np.array([_gap(a, b) for a, b in pairwise(entries)])
        del entries[1 + int(np.argmin(gaps[:-1] + gaps[1:]))]


def _gap(a: _Entry, b: _Entry) -> float:
    """How much there may be between two frames: metres + radians + a share for time."""
    gap = abs(b.stamp - a.stamp) / _SECONDS_PER_METRE
    if a.T_odom_base is not None and b.T_odom_base is not None:
        gap += float(np.linalg.norm(b.T_odom_base[:3, 3] - a.T_odom_base[:3, 3]))
        cosine = (np.trace(a.T_odom_base[:3, :3].T @ b.T_odom_base[:3, :3]) - 1) / 2
        gap += float(np.arccos(np.clip(cosine, -1, 1)))
    return gap
