"""Reading and writing image files, with the size known before anything is decoded.

A few hundred bytes can claim to be an image of 60,000 x 60,000 pixels, which would take 10 GB to
decode; so the size is read from the header first.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from posemap_ros.dataset.errors import ImageError
from posemap_ros.support.files import atomic_write

SUFFIXES = ('.jpg', '.jpeg', '.png')
_LARGEST_PIXELS = 100_000_000
_LARGEST_FILE = 512 * 2**20
_HEADER_BYTES = 2**16


def read_image(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """The JPEG or PNG file as uint8 RGB [height, width, 3].

    EXIF orientation is ignored: a camera's intrinsics belong to the pixels as they are stored.
    Raises `ImageError` if the file is missing, damaged, or not of `size` (width, height).
    """
    return decode_image(_read_bytes(path), str(path), size)


def decode_image(data: bytes, name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Like `read_image`, for a file's content; errors begin with `name`."""
    width, height = image_size(data, name)
    if size is not None and (width, height) != size:
        raise ImageError(
            f'{name}: the image is {width}x{height}, its camera is {size[0]}x{size[1]}'
        )
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if image is None or image.shape[:2] != (height, width):
        raise ImageError(f'{name}: the image is damaged or cut short')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def read_image_size(path: Path) -> tuple[int, int]:
    """(width, height) of the JPEG or PNG file, as it is stored."""
    head = _read_bytes(path, _HEADER_BYTES)
    # Metadata before the size may be longer than is usual.
    return image_size(head if _find_size(head) else _read_bytes(path), str(path))


def image_size(data: bytes, name: str) -> tuple[int, int]:
    """(width, height) from the header of a JPEG or PNG file's content."""
    if not data:
        raise ImageError(f'{name}: the file is empty')
    size = _find_size(data)
    if size is None:
        raise ImageError(f'{name}: not a JPEG or PNG image, or cut short')
    if not 0 < size[0] * size[1] <= _LARGEST_PIXELS:
        raise ImageError(
            f'{name}: an image of {size[0]}x{size[1]} pixels is refused; '
            f'at most {_LARGEST_PIXELS // 1_000_000} million are read'
        )
    return size


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


def _read_bytes(path: Path, most: int = _LARGEST_FILE) -> bytes:
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise ImageError(f'{path}: a file of {size >> 20} MB is refused')
        with path.open('rb') as file:
            return file.read(most)
    except OSError as error:
        raise ImageError(f'{path}: cannot be read: {error.strerror}') from None


def _find_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) from a header, which may be cut off behind it; None if it is not there."""
    return _png_size(data) if data.startswith(b'\x89PNG\r\n\x1a\n') else _jpeg_size(data)


def _png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or data[12:16] != b'IHDR':
        return None
    return int.from_bytes(data[16:20], 'big'), int.from_bytes(data[20:24], 'big')


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walks the segments up to the frame header (SOF), which holds the size."""
    if not data.startswith(b'\xff\xd8'):
        return None
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[position + 5 : position + 7], 'big')
            width = int.from_bytes(data[position + 7 : position + 9], 'big')
            return width, height
        position += 2 + int.from_bytes(data[position + 2 : position + 4], 'big')
    return None
