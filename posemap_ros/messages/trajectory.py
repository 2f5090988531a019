"""Poses over time, and the pose in between."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np


class Trajectory:
    """Poses [n, 4, 4] at strictly increasing stamps [n] in nanoseconds.

    Samples may come in any order; of several with one stamp, the first is kept.
    """

    def __init__(self, samples: Iterable[tuple[int, np.ndarray]]) -> None:
        ordered = sorted(samples, key=lambda sample: sample[0])
        if not ordered:
            raise ValueError('a trajectory needs at least one pose')
        stamps = np.array([stamp for stamp, _ in ordered], np.int64)
        first = np.concatenate([[True], np.diff(stamps) > 0])
        self.stamps_ns = stamps[first]
        self.poses = np.stack([T for _, T in ordered])[first]

    def at(self, stamp_ns: int, max_gap_ns: int) -> np.ndarray | None:
        """The pose [4, 4] at this time: positions linear, rotations along the shortest turn.

        None before the first pose, after the last, and between two that are more than `max_gap_ns`
        apart, because how the camera moved there is not known.
        """
        after = int(np.searchsorted(self.stamps_ns, stamp_ns))
        if after < len(self.stamps_ns) and self.stamps_ns[after] == stamp_ns:
            return self.poses[after].copy()
        if after == 0 or after == len(self.stamps_ns):
            return None
        start, end = int(self.stamps_ns[after - 1]), int(self.stamps_ns[after])
        if end - start > max_gap_ns:
            return None
        fraction = (stamp_ns - start) / (end - start)
        return interpolate(self.poses[after - 1], self.poses[after], fraction)

    def nearest(self, stamp_ns: int, within_ns: int) -> np.ndarray | None:
        """The pose [4, 4] whose time is the nearest to this one; None if none is `within_ns`."""
        after = int(np.searchsorted(self.stamps_ns, stamp_ns))
        around = range(max(after - 1, 0), min(after + 1, len(self.stamps_ns)))
        apart = {i: abs(int(self.stamps_ns[i]) - stamp_ns) for i in around}
        best = min(apart, key=apart.__getitem__)
        return self.poses[best].copy() if apart[best] <= within_ns else None


def interpolate(T_a: np.ndarray, T_b: np.ndarray, fraction: float) -> np.ndarray:
    """The pose [4, 4] at a fraction 0..1 of the way from T_a to T_b: lerp and slerp."""
    turn, _ = cv2.Rodrigues(T_a[:3, :3].T @ T_b[:3, :3])
    T = np.eye(4)
    T[:3, :3] = T_a[:3, :3] @ cv2.Rodrigues(fraction * turn)[0]
    T[:3, 3] = (1 - fraction) * T_a[:3, 3] + fraction * T_b[:3, 3]
    return T
