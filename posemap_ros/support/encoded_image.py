"""JPEG and PNG images in memory, with the cost known before anything is decoded.

A few hundred bytes can claim to be an image of 60,000 x 60,000 pixels, which would take 10 GB to
decode, or go over the same pixels ten thousand times; so the header is read first.
"""

from __future__ import annotations

import cv2
import numpy as np

MOST_PIXELS = 100_000_000
_PNG = b'\x89PNG\r\n\x1a\n'
# A progressive JPEG paints all its pixels anew in each scan: about ten times, as encoders do it.
_MOST_SCANS = 100
_MOST_SEGMENTS = 10_000  # of a JPEG, before its pixels
_MOST_CHUNKS = 100_000  # of a PNG; OpenCV makes them 8 kB long


class BadImage(ValueError):
    """Bytes that are no image which can be decoded; the sentence has no subject."""


def image_size(data: bytes) -> tuple[int, int]:
    """(width, height) from the header, which may be all of `data`. Raises `BadImage`."""
    if not data:
        raise BadImage('the file is empty')
    size = find_size(data)
    if size is None:
        raise BadImage('not a JPEG or PNG image, or cut short')
    check_size(*size)
    return size


def check_size(width: int, height: int) -> None:
    """Raises `BadImage` if an image of this size holds no pixel, or too many to be decoded."""
    if not 0 < width * height <= MOST_PIXELS:
        raise BadImage(
            f'an image of {width}x{height} pixels is refused; '
            f'at most {MOST_PIXELS // 1_000_000} million are read'
        )


def decode(data: bytes, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """The image as OpenCV has it: uint8 BGR [height, width, 3], or [height, width] in grey.

    EXIF orientation is ignored: a camera's intrinsics belong to the pixels as they are stored.
    Raises `BadImage`.
    """
    size = image_size(data)
    if not data.startswith(_PNG):
        if data.count(b'\xff\xda') > _MOST_SCANS:
            raise BadImage(f'a JPEG of more than {_MOST_SCANS} scans is refused')
    elif not _png_is_whole(data):
        raise BadImage('the image is damaged or cut short')
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        image = None
    if image is None or image.shape[1::-1] != size:
        raise BadImage('the image is damaged or cut short')
    return image


def find_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) from a header, which may be cut off behind it; None if it is not there."""
    return _png_size(data) if data.startswith(_PNG) else _jpeg_size(data)


def _png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or data[8:16] != b'\0\0\0\x0dIHDR':
        return None
    return int.from_bytes(data[16:20], 'big'), int.from_bytes(data[20:24], 'big')


def _png_is_whole(data: bytes) -> bool:
    """Whether its chunks fill the file up to the last one, and it is no animation.

    Decoders take memory for a chunk by the length that it claims, up to 4 GB.
    """
    position = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        kind = data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[position : position + 4], 'big')
        if position > len(data) or kind in (b'acTL', b'fcTL', b'fdAT'):
            return False
        if kind == b'IEND':
            return True
    return False


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walks the segments up to the frame header (SOF), which holds the size.

    Gives up where decoders do not agree on the next segment, so that they find no other size.
    """
    if not data.startswith(b'\xff\xd8'):
        return None
    position = 2
    for _ in range(_MOST_SEGMENTS):
        if position + 9 > len(data) or data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[position + 5 : position + 7], 'big')
            width = int.from_bytes(data[position + 7 : position + 9], 'big')
            return width, height
        length = int.from_bytes(data[position + 2 : position + 4], 'big')
        if marker < 0xC0 or 0xD0 <= marker <= 0xD9 or length < 2:  # none of these has a length
            return None
        position += 2 + length
    return None
