"""Images that were made smaller after their camera was calibrated, as many downloads are."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import lru_cache

from posemap_ros.camera import Camera
from posemap_ros.dataset.errors import ImageError
from posemap_ros.dataset.image_io import read_image_size
from posemap_ros.dataset.posed_images import PosedImages

# Images that are less than that smaller are rather cropped.
_LEAST_FACTOR = 1.1
_logger = logging.getLogger(__name__)

Size = tuple[int, int]  # width, height


def is_scaled(size: Size, original: Size) -> bool:
    """Is an image of one size the other one made larger or smaller, to whole pixels?"""
    (w, h), (W, H) = size, original
    return abs(w * H - h * W) <= max(W, H, w, h)


def with_cameras_of_images(dataset: PosedImages) -> PosedImages:
    """The dataset with cameras scaled to its images, where these are smaller by one factor in both
    directions. Of the frames whose cameras have one size, the first is looked at; where others
    differ from it, reading them says so.
    """
    found: dict[Size, Size] = {}
    for index, frame in enumerate(dataset.frames):
        size = _size(dataset.camera_of(index))
        if size in found:
            continue
        found[size] = size
        try:
            on_disk = read_image_size(frame.path)
        except ImageError:
            continue  # reading the image says what is wrong with it
        if size[0] >= _LEAST_FACTOR * on_disk[0] and is_scaled(on_disk, size):
            found[size] = on_disk
            _say_once(
                f'{dataset.root}: the images are {on_disk[0]}x{on_disk[1]}, '
                f'{size[0] / on_disk[0]:.3g} times smaller than their camera '
                f'({size[0]}x{size[1]}), which is scaled with them'
            )
    if all(size == on_disk for size, on_disk in found.items()):
        return dataset

    def scaled(camera: Camera | None) -> Camera | None:
        return camera and camera.resized(*found.get(_size(camera), _size(camera)))

    frames = tuple(replace(frame, camera=scaled(frame.camera)) for frame in dataset.frames)
    return replace(dataset, camera=scaled(dataset.camera), frames=frames)


def _size(camera: Camera) -> Size:
    return camera.width, camera.height


@lru_cache(maxsize=64)
def _say_once(sentence: str) -> None:
    """A stage opens its data more than once."""
    _logger.warning(sentence)
