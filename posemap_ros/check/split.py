"""Whether there are frames to train on, how far test frames are from them, and whether the split
flatters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from posemap_ros.check.findings import Finding
from posemap_ros.check.timeline import Timeline
from posemap_ros.dataset import DatasetError, PosedImages, check_trainable
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.support import commands

_NEIGHBOUR_SHARE = 0.2  # of test frames with the next frame in the training set


@dataclass(frozen=True, eq=False)
class Split:
    """Training and test frames, as indices [t] and [q], and each test frame's nearest one."""

    train: np.ndarray
    test: np.ndarray
    distance_m: np.ndarray  # [q] to the training frame that is nearest in position
    turn_deg: np.ndarray  # [q] how much that one looks another way
    neighbours: float  # share of test frames whose next or last frame in time is in the training


def measure_split(
    poses: np.ndarray, timeline: Timeline, train: Iterable[int], test: Iterable[int]
) -> Split:
    train, test = np.array(list(train), int), np.array(list(test), int)
    nearest = np.array(
        [train[np.argmin(translation_error_m(poses[train], poses[index]))] for index in test]
    )
    known = set(train.tolist())
    beside = [
        timeline.follow(int(i), 1) in known or timeline.follow(int(i), -1) in known for i in test
    ]
    return Split(
        train,
        test,
        translation_error_m(poses[nearest], poses[test]),
        rotation_error_deg(poses[nearest], poses[test]),
        float(np.mean(beside)),
    )


def judge_split(split: Split | None, dataset: PosedImages) -> Finding:
    if split is None:
        return Finding(
            'split', 'ok', 'all frames are for training: the data name no test frames of their own'
        )
    unit = dataset.unit
    text = (
        f'{len(split.test)} test frames are {np.median(split.distance_m):.3f} {unit} and '
        f'{np.median(split.turn_deg):.1f} deg from the nearest of {len(split.train)} training '
        f'frames (median; at most {split.distance_m.max():.2f} {unit})'
    )
    if split.neighbours > _NEIGHBOUR_SHARE:
        return Finding(
            'split',
            'warning',
            f'{text}; {100 * split.neighbours:.0f} % of them were taken right beside a training '
            'frame, so that errors will come out too small',
            'split by blocks with margins, or by whole drives: '
            + commands.stage('split_dataset', '--data', dataset.root, '--overwrite'),
        )
    return Finding('split', 'ok', text)


def judge_training(training: PosedImages) -> list[Finding]:
    """What build_environment would refuse the training frames for, if it would."""
    try:
        check_trainable(training)
    except DatasetError as error:
        return [Finding('training frames', 'fault', str(error))]
    return []
