"""What frames must be to be trained on; check_dataset and build_environment ask the same."""

from __future__ import annotations

import numpy as np

from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.posed_images import PosedImages
from posemap_ros.support import commands

MIN_FRAMES = 20
# Farther away, single precision, in which the networks compute, is coarser than 1 mm.
_FARTHEST_M = 10_000.0


def check_trainable(training: PosedImages) -> None:
    """Raise `DatasetError` if there are too few training frames, or they are too far away."""
    if len(training) < MIN_FRAMES:
        raise DatasetError(
            f'{training.root}: {len(training)} frames are too few to train on; '
            f'at least {MIN_FRAMES} are needed'
        )
    farthest = float(np.abs(training.poses[:, :3, 3]).max())
    if farthest > _FARTHEST_M:
        step = np.spacing(np.float32(farthest))
        raise DatasetError(
            f'{training.root}: positions are up to {farthest / 1000:.0f} km from the origin, '
            f'where single precision resolves only {step:.2g} m; are these UTM coordinates? '
            + _moved(training)
        )


def _moved(training: PosedImages) -> str:
    """How to bring the data near to the origin."""
    origin = training.poses[:, :3, 3].mean(axis=0).round().astype(int).tolist()
    command = ('--data', training.root, '--out', f'{training.root}_moved', '--origin', *origin)
    return f'Move the origin: {commands.stage("convert_dataset", *command)}'
