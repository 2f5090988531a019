"""Microsoft 7-Scenes (Shotton et al., CVPR 2013): seq-*/frame-*.color.png and .pose.txt.

Poses are camera to world, metres, OpenCV axes. The dataset comes without intrinsics: the colour
camera's focal length is about 525 px at 640x480 (585 is the depth camera's). Beside the sequences,
TrainSplit.txt and TestSplit.txt name those of each part ('sequence1' is seq-01).
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.image_io import SUFFIXES, read_image_size
from posemap_ros.dataset.listed_files import read_listing
from posemap_ros.dataset.pose_matrix import checked_pose
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages

_COLOUR_CAMERA = Camera(640, 480, fx=525.0, fy=525.0, cx=320.0, cy=240.0)
_logger = logging.getLogger(__name__)


def recognises(root: Path) -> bool:
    """Does the folder look like a scene of 7-Scenes, with poses?"""
    return all(any(root.glob(f'seq-*/frame-*.{kind}')) for kind in ('color.*', 'pose.txt'))


def read(root: Path) -> PosedImages:
    """All sequences of a scene, in order; frames are called like 'seq-01/frame-000050'.

    Frames whose pose is NaN, which is how the dataset says that tracking was lost, are left out
    with a warning. An image without a pose file is an error: part of the dataset is missing.
    """
    images = sorted(path for path in root.glob('seq-*/frame-*.color.*') if path.suffix in SUFFIXES)
    if not images:
        raise DatasetError(f'{root}: there is no seq-*/frame-*.color.png or .jpg')
    frames, without_pose, lost = [], [], []
    for path in images:
        stem = path.name.removesuffix(f'.color{path.suffix}')
        name = f'{path.parent.name}/{stem}'
        pose_path = path.with_name(f'{stem}.pose.txt')
        if not pose_path.is_file():
            without_pose.append(name)
            continue
        matrix = _parse(pose_path)
        if np.isnan(matrix).any():
            lost.append(name)
        else:
            frames.append(PosedFrame(name, path, checked_pose(matrix, str(pose_path))))
    if without_pose:
        raise DatasetError(
            f'{root}: {some(without_pose, "image")} without a .pose.txt; '
            'complete the dataset or remove those images'
        )
    if lost:
        note = f'{root}: {some(lost, "frame")} left out, tracking was lost there (pose is NaN)'
        if not frames:
            raise DatasetError(f'{note}; no frame remains')
        _logger.warning(note)
    return PosedImages(root, _camera(images[0]), tuple(frames), _read_parts(root, frames))


def _read_parts(root: Path, frames: list[PosedFrame]) -> dict[str, tuple[str, ...]]:
    parts = {}
    for part, path in (('train', root / 'TrainSplit.txt'), ('test', root / 'TestSplit.txt')):
        if not path.is_file():
            continue
        numbers = {int(number) for number in re.findall(r'\d{1,9}', read_listing(path))}
        names = (frame.name for frame in frames if _sequence_number(frame.name) in numbers)
        if names := tuple(names):
            parts[part] = names
    return parts


def _sequence_number(name: str) -> int | None:
    found = re.match(r'seq-(\d+)/', name)
    return int(found[1]) if found else None


def _camera(image: Path) -> Camera:
    width, height = read_image_size(image)
    if width * _COLOUR_CAMERA.height != height * _COLOUR_CAMERA.width:
        raise DatasetError(
            f'{image}: 7-Scenes images have the shape of 640x480, this one is {width}x{height}; '
            'give another camera by a transforms.json'
        )
    return _COLOUR_CAMERA.resized(width, height)


def _parse(path: Path) -> np.ndarray:
    words = read_listing(path).split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise DatasetError(f'{path}: the pose is not a matrix of numbers') from None
    if len(numbers) != 16:
        raise DatasetError(f'{path}: the pose must have 16 numbers, not {len(numbers)}')
    return np.reshape(numbers, (4, 4))
