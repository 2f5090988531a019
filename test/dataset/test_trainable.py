"""What cannot be trained on is refused before the training."""

from dataclasses import replace

import numpy as np
import pytest
from test_open_dataset import write_own

from posemap_ros.dataset import DatasetError, PosedFrame, check_trainable, open_dataset


@pytest.fixture
def twenty(tmp_path):
    first = open_dataset(write_own(tmp_path))
    path = first.frames[0].path
    return replace(first, frames=tuple(PosedFrame(str(i), path, np.eye(4)) for i in range(20)))


def test_twenty_frames_are_enough(twenty):
    check_trainable(twenty)
    with pytest.raises(DatasetError, match='19 frames are too few to train on'):
        check_trainable(replace(twenty, frames=twenty.frames[1:]))


def test_positions_that_single_precision_cannot_hold_are_refused(twenty):
    T = np.eye(4)
    T[:3, 3] = 691_000, 5_335_000, 500  # UTM
    far = replace(twenty, frames=(*twenty.frames[1:], replace(twenty.frames[0], T_world_cam=T)))
    with pytest.raises(DatasetError, match='up to 5335 km from the origin.* 0.5 m; .*--origin'):
        check_trainable(far)
