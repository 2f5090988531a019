"""What frames must be to be trained on; check_dataset and build_environment ask the same."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from posemap_ros.camera import MINIMUM_COVERAGE, Camera, CameraMismatch, ImageAdapter
from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.posed_images import PosedImages
from posemap_ros.support import commands

MIN_FRAMES = 20
# Farther away, single precision, in which the networks compute, is coarser than 1 mm.
_FARTHEST_M = 10_000.0
# What a camera sees is measured at one size, and used at others, where pixels at the border fall
# differently.
_MEASURED_PX, _ROUNDING = 96, 0.02
_logger = logging.getLogger(__name__)


def leave_out_narrow(dataset: PosedImages) -> PosedImages:
    """The frames whose own camera sees enough of the view of `dataset.camera`, which is what is
    learned; a warning counts the others.

    Raises `DatasetError` if there is none.
    """
    view = dataset.camera.undistorted().with_shorter_side(_MEASURED_PX)
    cameras = [dataset.camera_of(i) for i in range(len(dataset))]
    fault = {camera: _sees_too_little(camera, view) for camera in set(cameras)}
    narrow = [f.name for f, camera in zip(dataset.frames, cameras) if fault[camera]]
    if not narrow:
        return dataset
    note = f'{dataset.root}: {some(narrow, "frame")} of a narrower camera than most are'
    if len(narrow) == len(dataset):
        raise DatasetError(f'{note}; {fault[cameras[0]]}')
    _logger.warning('%s; left out', note)
    wide = tuple(f for f, camera in zip(dataset.frames, cameras) if not fault[camera])
    return replace(dataset, frames=wide)


def _sees_too_little(camera: Camera, view: Camera) -> str:
    """Why no image of a camera can be turned into one of another's view, or ''."""
    try:
        coverage = ImageAdapter(camera, view).coverage
    except CameraMismatch as error:
        return str(error)
    least = MINIMUM_COVERAGE + _ROUNDING
    return '' if coverage >= least else f'the camera sees only {100 * coverage:.0f} % of the view'


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
