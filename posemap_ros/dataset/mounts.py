"""Whose poses a recording's may have been: the frames that are fixed to the camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.pose_matrix import checked_pose

MOST_FRAMES = 32
_LONGEST_NAME = 200
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class Mounts:
    """Where the camera is on each frame that the poses may be those of.

    Attributes:
        used: the frame whose poses they were taken for.
        T_frame_cam: [4, 4] of each frame, the likeliest first; that of the camera's own frame is
            the identity.
    """

    used: str
    T_frame_cam: Mapping[str, np.ndarray]

    def corrections(self) -> dict[str, np.ndarray]:
        """For each other frame, the transform [4, 4] by which the poses of the camera have to be
        multiplied from the right if they were those of this frame all along.
        """
        T_cam_used = np.linalg.inv(self.T_frame_cam[self.used])
        found = {frame: T_cam_used @ T for frame, T in self.T_frame_cam.items()}
        return {
            frame: T for frame, T in found.items() if not np.allclose(T, np.eye(4), atol=_SAME)
        }

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        frames = {frame: T.tolist() for frame, T in self.T_frame_cam.items()}
        return {'used': self.used, 'T_frame_cam': frames}

    @classmethod
    def from_dict(cls, values: object, where: str) -> Mounts:
        """What `to_dict` gave. Raises `DatasetError`, beginning with `where`."""
        used = values.get('used') if isinstance(values, dict) else None
        frames = values.get('T_frame_cam') if isinstance(values, dict) else None
        if not isinstance(frames, dict) or not isinstance(used, str) or used not in frames:
            raise DatasetError(f'{where}: must hold T_frame_cam, and in it the frame that is used')
        if len(frames) > MOST_FRAMES or not all(
            name.isprintable() and 0 < len(name) <= _LONGEST_NAME for name in frames
        ):
            raise DatasetError(f'{where}: more than {MOST_FRAMES} frames, or names that are none')
        return cls(used, {name: checked_pose(T, f'{where}: {name}') for name, T in frames.items()})
