"""What frames must be to be trained on; check_dataset and build_environment ask the same."""

from __future__ import annotations

import numpy as np

from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.posed_images import PosedImages

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
            'convert_dataset --origin moves the origin'
        )
