"""Reading and writing image files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from posemap_ros.dataset.errors import ImageError
from posemap_ros.support import encoded_image
from posemap_ros.support.encoded_image import BadImage
from posemap_ros.support.files import atomic_write
from posemap_ros.support.untrusted import FileRefused, open_regular

SUFFIXES = ('.jpg', '.jpeg', '.png')
_LARGEST_FILE = 512 * 2**20
_HEADER_BYTES = 2**16


def read_image(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """The JPEG or PNG file as uint8 RGB [height, width, 3].

    Raises `ImageError` if the file is missing, damaged, or not of `size` (width, height).
    """
    return decode_image(read_file(path), str(path), size)


def decode_image(data: bytes, name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Like `read_image`, for a file's content; errors begin with `name`."""
    width, height = image_size(data, name)
    if size is not None and (width, height) != size:
        raise ImageError(
            f'{name}: the image is {width}x{height}, its camera is {size[0]}x{size[1]}'
        )
    try:
        image = encoded_image.decode(data)
    except BadImage as error:
        raise ImageError(f'{name}: {error}') from None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_image_size(path: Path) -> tuple[int, int]:
    """(width, height) of the JPEG or PNG file, as it is stored."""
    head = read_file(path, _HEADER_BYTES)
    # Metadata before the size may be longer than is usual.
    return image_size(head if encoded_image.find_size(head) else read_file(path), str(path))


def read_file(path: Path, most: int = _LARGEST_FILE) -> bytes:
    """The content of an image file, or its first so many bytes. Raises `ImageError`."""
    try:
        with open_regular(path, _LARGEST_FILE) as file:
            return file.read(most)
    except FileRefused as error:
        raise ImageError(str(error)) from None
    except OSError as error:
        raise ImageError(f'{path}: cannot be read: {error.strerror}') from None


def image_size(data: bytes, name: str) -> tuple[int, int]:
    """(width, height) from the header of a JPEG or PNG file's content."""
    try:
        return encoded_image.image_size(data)
    except BadImage as error:
        raise ImageError(f'{name}: {error}') from None


def encode_image(image: np.ndarray, suffix: str, quality: int = 95) -> bytes:
    """uint8 RGB [height, width, 3] as the content of a .jpg or .png file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in ('.jpg', '.jpeg') else []
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ImageError(f'an image of shape {image.shape} cannot be written as {suffix}')
    return data.tobytes()


def write_image(path: Path, image: np.ndarray) -> None:
    """Write uint8 RGB [height, width, 3] as JPEG or PNG, by the ending; never a half-made file."""
    data = encode_image(image, path.suffix.lower())
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
