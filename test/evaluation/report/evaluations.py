"""Evaluations made up for the report's tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tiny_environment import circle_of_poses

from posemap_ros.dataset import PosedFrame
from posemap_ros.evaluation.errors import Evaluation
from posemap_ros.localizer import Estimate


def make_evaluation(
    shift_m: np.ndarray, sigma_m: float = 0.1, turn_deg: np.ndarray | None = None
) -> Evaluation:
    """Frames on a circle, estimated too high by shifts [N] and turned about z by angles [N]."""
    frames, estimates = [], []
    turn_deg = np.zeros(len(shift_m)) if turn_deg is None else turn_deg
    for i, (T, shift, turn) in enumerate(
        zip(circle_of_poses(len(shift_m)), shift_m, np.radians(turn_deg))
    ):
        frames.append(PosedFrame(f'images/{i:06d}', Path(f'{i:06d}.png'), T))
        estimated = T.copy()
        estimated[2, 3] += shift
        c, s = np.cos(turn), np.sin(turn)
        estimated[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ T[:3, :3]
        covariance = np.diag([sigma_m**2] * 3 + [np.radians(2.0) ** 2] * 3)
        estimates.append(Estimate(estimated, covariance, 10.0, np.ones(1, np.float32)))
    return Evaluation(tuple(frames), tuple(estimates), revision=0)
