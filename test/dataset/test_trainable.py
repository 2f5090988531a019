"""What cannot be trained on is refused before the training."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from test_open_dataset import write_own

from posemap_ros.dataset import (
    DatasetError,
    PosedFrame,
    check_trainable,
    leave_out_narrow,
    open_dataset,
)


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


def with_focal_lengths(dataset, *factors):
    """Frames whose cameras are so many times longer than the dataset's; None for that itself."""
    camera = dataset.camera
    own = [f and replace(camera, fx=f * camera.fx, fy=f * camera.fy) for f in factors]
    frames = (replace(frame, camera=c) for frame, c in zip(dataset.frames, own))
    return replace(dataset, frames=tuple(frames))


def test_frames_of_a_narrower_camera_are_left_out_and_counted(twenty, caplog):
    """By hand: of a lens 1.25 times as long, 1 / 1.25^2 = 64 % of the view are seen, of one 1.1
    times as long 83 %, and of a shorter one all of it.
    """
    mixed = with_focal_lengths(twenty, None, 1.25, 1.1, 0.6, 3.0, None)
    with caplog.at_level(logging.WARNING):
        assert leave_out_narrow(mixed).names == ['0', '2', '3', '5']
    assert '2 frames (1, 4) are of a narrower camera than most are; left out' in caplog.text
    caplog.clear()
    same = with_focal_lengths(twenty, None, 1.1, 0.6)
    assert leave_out_narrow(same) is same and not caplog.text


def test_what_is_left_can_be_read_at_every_size(twenty):
    factors = np.linspace(1.0, 1.5, 20)
    mixed = with_focal_lengths(twenty, *factors)
    left = leave_out_narrow(mixed)
    assert 5 < len(left) < 15
    for shorter_side in (24, 72, 120, 143, 144, 360):
        view = mixed.camera.undistorted().with_shorter_side(shorter_side)
        for i in range(len(left)):
            left.load_as(i, view)


def test_where_no_frame_sees_enough_that_is_said(twenty):
    with pytest.raises(DatasetError, match='2 frames .* than most are; the camera .*sees only 11'):
        leave_out_narrow(with_focal_lengths(twenty, 3.0, 3.0))
