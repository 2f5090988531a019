"""Cambridge Landmarks (Kendall et al., ICCV 2015): reconstruction.nvm and seq*/frame*.png.

reconstruction.nvm is VisualSFM's: a line for each image with its name, focal length in pixels, the
rotation from world to camera as a quaternion w x y z, the camera's centre in metres, and a radial
coefficient; axes are OpenCV's. It calls the images .jpg, though they come as .png. It has no
principal point: that is the middle of the image. The points after the images are not read.

dataset_train.txt and dataset_test.txt name the images of each part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.image_io import SUFFIXES, read_image_size
from posemap_ros.dataset.listed_files import (
    frame_name,
    image_path,
    leave_out_missing,
    read_listing,
)
from posemap_ros.dataset.name_order import in_name_order
from posemap_ros.dataset.pose_matrix import pose_from_quaternion
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages

_MODEL = 'reconstruction.nvm'
_PARTS = {part: f'dataset_{part}.txt' for part in ('train', 'test')}
_LONGEST_LINE = 4096
_NUMBERS = 9  # focal length, quaternion, centre, radial; a 0 follows


def recognises(root: Path) -> bool:
    """Is there a VisualSFM model, or a list of one of the parts?"""
    return any((root / name).is_file() for name in (_MODEL, *_PARTS.values()))


def read(root: Path) -> PosedImages:
    """All images of the model, by name: 'seq1/frame00001'. Each has its own focal length.

    Images that are listed but missing are left out with a warning.
    """
    path = root / _MODEL
    if not path.is_file():
        raise DatasetError(
            f'{path} is missing; it holds the poses and focal lengths of Cambridge Landmarks'
        )
    frames, lenses = [], {}
    for where, listed, numbers in _read_lines(path):
        image = _find_image(root, listed, where)
        name = frame_name(root, image)
        # The inverse of what is listed turns from camera to world.
        quaternion = numbers[[2, 3, 4, 1]] * (-1, -1, -1, 1)
        T_world_cam = pose_from_quaternion(numbers[5:8], quaternion, where)
        frames.append(PosedFrame(name, image, T_world_cam))
        lenses[name] = where, float(numbers[0]), float(numbers[8])
    frames = leave_out_missing(sorted(frames, key=lambda frame: in_name_order(frame.name)), path)
    size = read_image_size(frames[0].path)
    frames = [replace(frame, camera=_camera(size, *lenses[frame.name])) for frame in frames]
    names = {frame.name for frame in frames}
    return PosedImages.of(root, frames, _read_parts(root, names))


def _read_lines(path: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Where it is, name and numbers of each image; line by line, as the points may take a GB."""
    with path.open(encoding='utf-8', errors='replace') as file:

        def line() -> str:
            text = file.readline(_LONGEST_LINE)
            while text and not text.strip():
                text = file.readline(_LONGEST_LINE)
            return text

        if not line().startswith('NVM_V3'):
            raise DatasetError(f'{path}: not a VisualSFM model: it does not begin with NVM_V3')
        count = line().strip()
        if not count.isdecimal() or int(count) == 0:
            raise DatasetError(f'{path}: the number of images is {count[:20]!r}')
        for index in range(int(count)):
            where = f'{path}: image {index}'
            name, *words = line().split() or ['']
            try:
                numbers = np.array([float(word) for word in words[:_NUMBERS]])
            except ValueError:
                raise DatasetError(f'{where} ({name}): {words} are not all numbers') from None
            if len(numbers) < _NUMBERS:
                raise DatasetError(f'{where}: the line is cut short; {count} images are announced')
            yield f'{where} ({name})', name, numbers


def _find_image(root: Path, listed: str, where: str) -> Path:
    path = image_path(root, listed, where)
    candidates = (path.with_suffix(suffix) for suffix in ('.png', *SUFFIXES))
    return next((candidate for candidate in candidates if candidate.is_file()), path)


def _camera(size: tuple[int, int], where: str, focal: float, radial: float) -> Camera:
    """VisualSFM's lens as OpenCV's.

    Its coefficient k undoes the distortion: a point seen at the distance d from the middle (in
    focal lengths) belongs at u = d (1 + k d^2). OpenCV's k1 k2 k3 make it, d as a series in u:
    the inverse is u (1 - k u^2 + 3 k^2 u^4 - 12 k^3 u^6 + ...).
    """
    model, distortion = 'none', ()
    if radial:
        model, distortion = 'plumb_bob', (-radial, 3 * radial**2, 0, 0, -12 * radial**3)
    try:
        width, height = size
        return Camera(width, height, focal, focal, width / 2, height / 2, model, distortion)
    except InvalidCamera as error:
        raise DatasetError(f'{where}: {error}') from None


def _read_parts(root: Path, known: set[str]) -> dict[str, tuple[str, ...]]:
    parts = {}
    for part, file_name in _PARTS.items():
        path = root / file_name
        if not path.is_file():
            continue
        # Some lines of title, then the image's name first; its pose is the model's.
        words = [line.split() for line in read_listing(path).splitlines()]
        listed = [first for first, *_ in filter(None, words) if first.lower().endswith(SUFFIXES)]
        names = [frame_name(root, image_path(root, name, str(path))) for name in listed]
        if names := tuple(name for name in names if name in known):
            parts[part] = names
    return parts
