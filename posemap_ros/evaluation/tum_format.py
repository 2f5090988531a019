"""Trajectories as text in the TUM format, which evo and the SLAM benchmarks read.

One line a pose, in order of time: ``timestamp tx ty tz qx qy qz qw``, in seconds and metres,
camera to world.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import roma
import torch

from posemap_ros.support.files import atomic_write

_HEADER = '# timestamp tx ty tz qx qy qz qw'


def tells_time(stamps_ns: Sequence[int | None]) -> bool:
    """Whether every frame has a stamp of its own, so that its pose can be found by it."""
    return None not in stamps_ns and len(set(stamps_ns)) == len(stamps_ns)


def write_tum(path: Path | str, poses: np.ndarray, stamps_ns: Sequence[int | None]) -> None:
    """Write poses [N, 4, 4] taken at stamps [N]; the time is the index unless they tell it."""
    if tells_time(stamps_ns):
        order = np.argsort(np.asarray(stamps_ns))
        # Not as floats, which hold today's time to 0.2 microseconds only.
        times = [f'{stamps_ns[i] // 10**9}.{stamps_ns[i] % 10**9:09d}' for i in order]
        poses = poses[order]
    else:
        times = [str(index) for index in range(len(poses))]
    quaternions = roma.rotmat_to_unitquat(torch.from_numpy(poses[:, :3, :3])).numpy()
    lines = [
        f'{time} ' + ' '.join(f'{value:.9f}' for value in row)
        for time, row in zip(times, np.hstack([poses[:, :3, 3], quaternions]))
    ]
    with atomic_write(path) as temporary:
        temporary.write_text('\n'.join([_HEADER, *lines]) + '\n')
