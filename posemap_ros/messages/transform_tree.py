"""The tree of frames that a recording's /tf and /tf_static describe, without ROS.

T_a_b takes points of frame b to frame a, so it is also the pose of b in a.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import takewhile

import numpy as np

from posemap_ros.messages.trajectory import Trajectory


class NotConnected(ValueError):
    """Two frames with no way from one to the other, or more than one."""


class TransformTree:
    """Collects transforms with `add`; afterwards `lookup` chains them at any time."""

    def __init__(self, max_gap_ns: int) -> None:
        self._max_gap_ns = max_gap_ns
        self._parents: dict[str, str] = {}
        self._disputed: dict[str, tuple[str, str]] = {}
        self._static: dict[str, np.ndarray] = {}
        self._samples: dict[str, list[tuple[int, np.ndarray]]] = defaultdict(list)
        self._trajectories: dict[str, Trajectory] = {}

    def add(self, parent: str, child: str, T: np.ndarray, stamp_ns: int | None) -> None:
        """T_parent_child at a time, or for all times if the stamp is None."""
        parent, child = parent.lstrip('/'), child.lstrip('/')
        known = self._parents.setdefault(child, parent)
        if known != parent:
            self._disputed[child] = (known, parent)
        elif stamp_ns is None:
            self._static[child] = T
        else:
            self._samples[child].append((stamp_ns, T))
            self._trajectories.pop(child, None)

    @property
    def frames(self) -> list[str]:
        """Names of all frames, sorted."""
        return sorted({*self._parents, *self._parents.values()})

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray | None:
        """T_target_source [4, 4] at this time, or None where a transform on the way has a gap.

        Raises `NotConnected` if there is no way at any time, or a frame on it has two parents.
        """
        up_target, up_source = self.ancestors(target), self.ancestors(source)
        common = next((frame for frame in up_source if frame in up_target), None)
        if common is None:
            raise NotConnected(f'TF does not connect {target} and {source}')
        T_common_target = self._descend(up_target[: up_target.index(common)], stamp_ns)
        T_common_source = self._descend(up_source[: up_source.index(common)], stamp_ns)
        if T_common_target is None or T_common_source is None:
            return None
        return np.linalg.inv(T_common_target) @ T_common_source

    def span_ns(self, target: str, source: str) -> tuple[int, int] | None:
        """The first and last time at which all moving transforms between two frames are known."""
        up_target, up_source = self.ancestors(target), self.ancestors(source)
        moving = [self._trajectory(f) for f in {*up_target} ^ {*up_source} if f in self._samples]
        if not moving:
            return None
        return (
            max(int(t.stamps_ns[0]) for t in moving),
            min(int(t.stamps_ns[-1]) for t in moving),
        )

    def carriers(self, frame: str) -> list[str]:
        """The frames above this one that it is mounted on by static transforms, the root first."""
        chain = self.ancestors(frame)
        fixed = takewhile(lambda pair: pair[0] in self._static, zip(chain, chain[1:]))
        return [parent for _, parent in fixed][::-1]

    def fixed_to(self, frame: str) -> list[str]:
        """All frames that static transforms connect with this one, itself among them: what it is
        mounted on, from the nearest to the root, then the others by name.
        """
        mounted = [frame.lstrip('/'), *reversed(self.carriers(frame))]
        others = []
        for other in self.frames:
            try:
                root = (self.carriers(other) or [other])[0]
            except NotConnected:
                continue
            if root == mounted[-1] and other not in mounted:
                others.append(other)
        return [*mounted, *others]

    def ancestors(self, frame: str) -> list[str]:
        """The frame, its parent, and so on up to the root.

        Raises `NotConnected` if one of them has two parents.
        """
        chain = [frame.lstrip('/')]
        while chain[-1] in self._parents:
            if chain[-1] in self._disputed:
                parents = ' and '.join(self._disputed[chain[-1]])
                raise NotConnected(f'frame {chain[-1]} has two parents in TF, {parents}')
            parent = self._parents[chain[-1]]
            if parent in chain:
                raise NotConnected(f'TF has a loop: {" -> ".join([*chain, parent])}')
            chain.append(parent)
        return chain

    def _descend(self, chain: list[str], stamp_ns: int) -> np.ndarray | None:
        """The product of the transforms from above the last frame of a chain down to its first."""
        T = np.eye(4)
        for frame in chain:
            T_parent_frame = self._static.get(frame)
            if T_parent_frame is None:
                T_parent_frame = self._trajectory(frame).at(stamp_ns, self._max_gap_ns)
            if T_parent_frame is None:
                return None
            T = T_parent_frame @ T
        return T

    def _trajectory(self, frame: str) -> Trajectory:
        if frame not in self._trajectories:
            self._trajectories[frame] = Trajectory(self._samples[frame])
        return self._trajectories[frame]
