"""Which frames were taken on one drive, and which of them at one moment.

A folder of images is a drive, unless it is one camera of several on the same robot: then others
hold images of the same moments.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import PurePosixPath

import numpy as np

from posemap_ros.dataset.posed_images import PosedImages
from posemap_ros.evaluation.errors import rotation_error_deg

_FEWEST = 10  # frames of a folder that may be a camera, and pairs of them that tell
# Earlier stamps are seconds of a simulation or of each drive: every drive has those.
_REAL_CLOCK_NS = 1_000_000_000 * 10**9  # September 2001
# Two cameras of one robot stay where they are to each other: in the median, to this share of how
# far they move about, and to this angle.
_RIGID_SHARE, _RIGID_DEG = 0.05, 2.0


@dataclass(frozen=True, eq=False)
class Drive:
    """Frames of one drive, as indices [n] into the dataset, by the cameras' folders; and at which
    moment [n] each was taken, counted from 0.
    """

    name: str
    frames: np.ndarray
    moments: np.ndarray


def find_drives(dataset: PosedImages) -> list[Drive]:
    """All drives of a dataset whose poses are known, in order of their folders' names.

    Folders are one drive where their stamps overlap in time; without stamps by the clock, where
    the poses of their frames, paired by stamp, by name or in order, belong to cameras that are
    fixed to each other.
    """
    poses, members = dataset.poses, defaultdict(list)
    for index, name in enumerate(dataset.folders):
        members[name].append(index)
    folders = [_Folder.of(dataset, poses, name, members[name]) for name in sorted(members)]
    group = list(range(len(folders)))
    large = [i for i in group if len(folders[i].frames) >= _FEWEST]
    for a, b in combinations(large, 2):
        if group[a] != group[b] and folders[a].is_together_with(folders[b]):
            group = [group[a] if g == group[b] else g for g in group]
    drives = []
    for g in dict.fromkeys(group):
        cameras = [folder for folder, own in zip(folders, group) if own == g]
        reference = max(cameras, key=lambda camera: len(camera.frames))
        drives.append(
            Drive(
                ' + '.join(camera.name for camera in cameras),
                np.concatenate([camera.frames for camera in cameras]),
                np.concatenate([reference.moments_of(camera) for camera in cameras]),
            )
        )
    return drives


@dataclass(frozen=True, eq=False)
class _Folder:
    """The frames of one folder."""

    name: str
    frames: np.ndarray  # [n] indices into the dataset
    T_world_cam: np.ndarray  # [n, 4, 4]
    stamps_ns: np.ndarray | None  # [n] that do not go back; None: not known
    places: dict[str, int]  # of frames by their name without the folder

    @classmethod
    def of(cls, dataset: PosedImages, poses: np.ndarray, name: str, indices: list[int]) -> _Folder:
        frames = [dataset.frames[i] for i in indices]
        stamps = [frame.stamp_ns for frame in frames]
        known = None not in stamps and all(a <= b for a, b in pairwise(stamps))
        return cls(
            name,
            np.array(indices),
            poses[indices],
            np.array(stamps, np.int64) if known else None,
            {PurePosixPath(frame.name).name: place for place, frame in enumerate(frames)},
        )

    def is_together_with(self, other: _Folder) -> bool:
        """Are the frames of both from two cameras of one drive?"""
        times = self.stamps_ns, other.stamps_ns
        if all(t is not None for t in times):
            first, last = max(t[0] for t in times), min(t[-1] for t in times)
            if first >= last:
                return False
            if first >= _REAL_CLOCK_NS:
                return True
        own, others = self._pairs(other)
        if len(own) < _FEWEST:
            return False
        poses = self.T_world_cam[own]
        T_self_other = np.linalg.inv(poses) @ other.T_world_cam[others]
        shift, moved = (_away(T[:, :3, 3]) for T in (T_self_other, poses))
        turn = rotation_error_deg(T_self_other, T_self_other[np.argmin(shift)])
        return bool(
            np.median(shift) <= _RIGID_SHARE * np.median(moved) and np.median(turn) <= _RIGID_DEG
        )

    def moments_of(self, other: _Folder) -> np.ndarray:
        """Which frame of this folder is of the moment of each of another's [n]: places."""
        if self.stamps_ns is not None and other.stamps_ns is not None:
            return _nearest(self.stamps_ns, other.stamps_ns)
        own, others = self._pairs(other)
        if not len(own):  # a third folder alone told that they are of one drive
            own, others = (np.array([0, len(f.frames) - 1]) for f in (self, other))
        order = np.argsort(others, kind='stable')
        between = np.interp(np.arange(len(other.frames)), others[order], own[order])
        return between.round().astype(int)

    def _pairs(self, other: _Folder) -> tuple[np.ndarray, np.ndarray]:
        """Places [m] of frames of both that may be of one moment: by stamp, name, or order."""
        if self.stamps_ns is not None and other.stamps_ns is not None:
            first, last = self.stamps_ns[[0, -1]]
            inside = (other.stamps_ns >= first) & (other.stamps_ns <= last)
            return _nearest(self.stamps_ns, other.stamps_ns[inside]), np.flatnonzero(inside)
        alike = sorted(self.places.keys() & other.places.keys(), key=self.places.__getitem__)
        if 2 * len(alike) >= min(len(self.frames), len(other.frames)):
            return tuple(np.array([f.places[name] for name in alike]) for f in (self, other))
        same = len(self.frames) if len(self.frames) == len(other.frames) else 0
        return np.arange(same), np.arange(same)


def _away(positions: np.ndarray) -> np.ndarray:
    """How far positions [n, 3] are from their median."""
    return np.linalg.norm(positions - np.median(positions, axis=0), axis=1)


def _nearest(times: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Places in times [n], which do not decrease, of those nearest to others [m]."""
    after = np.searchsorted(times, asked).clip(1, max(len(times) - 1, 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(asked - times[before] <= times[after] - asked, before, after)
