"""Pictures for a quick look: grey, and no larger than motion and sharpness need."""

from __future__ import annotations

import cv2
import numpy as np

from posemap_ros.dataset.errors import ImageError
from posemap_ros.dataset.image_io import image_size

_LOOK_WIDTH = 320  # at least, and less than twice as much: about the size that training uses
# JPEG decodes to a half, quarter or eighth of its size in a fraction of the time.
_REDUCED = {
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def small_grey_of_file(content: bytes, name: str) -> np.ndarray:
    """The picture of a JPEG or PNG file in grey: uint8 [h, w], 320 to 639 pixels wide.

    Raises `ImageError`, which begins with `name`.
    """
    width, _ = image_size(content, name)
    flags = cv2.IMREAD_GRAYSCALE
    if content.startswith(b'\xff\xd8'):
        factor = max((f for f in _REDUCED if width >= f * _LOOK_WIDTH), default=1)
        flags = _REDUCED.get(factor, flags)
    grey = cv2.imdecode(np.frombuffer(content, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if grey is None:
        raise ImageError(f'{name}: the image is damaged or cut short')
    return _shrunk(grey)


def small_grey(image: np.ndarray) -> np.ndarray:
    """A picture uint8 RGB [H, W, 3] in grey: uint8 [h, w], at most 639 pixels wide."""
    return _shrunk(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def _shrunk(grey: np.ndarray) -> np.ndarray:
    """By averaging."""
    shrink = grey.shape[1] // _LOOK_WIDTH
    if shrink < 2:
        return grey
    size = (grey.shape[1] // shrink, grey.shape[0] // shrink)
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
