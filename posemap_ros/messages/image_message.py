"""From an image message to a uint8 RGB array.

Takes the messages of rclpy and those read from a bag without ROS alike: they have the same fields.

Where ROS brings cv_bridge, it converts what it converts to the same pixels. The rest is done with
NumPy and OpenCV, everywhere: cv_bridge ties NumPy to a version below 2, takes no padded rows (the
one on PyPI) and no mono16 or yuv422 (a bare KeyError), and trusts the sizes in the message.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from posemap_ros.support.encoded_image import BadImage, check_size, decode
from posemap_ros.support.printable import printable

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage, Image


class UnsupportedImage(ValueError):
    """An image message that holds no picture which can be turned into RGB."""


# encoding -> (channels in memory, type of one number, OpenCV conversion to RGB or None)
_PACKED = {
    'rgb8': (3, np.uint8, None),
    'bgr8': (3, np.uint8, cv2.COLOR_BGR2RGB),
    'rgba8': (4, np.uint8, cv2.COLOR_RGBA2RGB),
    'bgra8': (4, np.uint8, cv2.COLOR_BGRA2RGB),
    'mono8': (1, np.uint8, cv2.COLOR_GRAY2RGB),
    'rgb16': (3, np.uint16, None),
    'bgr16': (3, np.uint16, cv2.COLOR_BGR2RGB),
    'rgba16': (4, np.uint16, cv2.COLOR_RGBA2RGB),
    'bgra16': (4, np.uint16, cv2.COLOR_BGRA2RGB),
    'mono16': (1, np.uint16, cv2.COLOR_GRAY2RGB),
    # Nameless channels are grey or, as OpenCV stores them, blue first.
    '8UC1': (1, np.uint8, cv2.COLOR_GRAY2RGB),
    '8UC3': (3, np.uint8, cv2.COLOR_BGR2RGB),
    '8UC4': (4, np.uint8, cv2.COLOR_BGRA2RGB),
    # Two bytes a pixel. ROS's plain 'yuv422' has the chroma first (UYVY).
    'yuv422': (2, np.uint8, cv2.COLOR_YUV2RGB_UYVY),
    'uyvy': (2, np.uint8, cv2.COLOR_YUV2RGB_UYVY),
    'yuv422_yuy2': (2, np.uint8, cv2.COLOR_YUV2RGB_YUYV),
    'yuyv': (2, np.uint8, cv2.COLOR_YUV2RGB_YUYV),
}
# ROS names the first two pixels of the first row, OpenCV the second and third of the second row.
_BAYER = {
    'bayer_rggb': cv2.COLOR_BayerBG2RGB,
    'bayer_bggr': cv2.COLOR_BayerRG2RGB,
    'bayer_gbrg': cv2.COLOR_BayerGR2RGB,
    'bayer_grbg': cv2.COLOR_BayerGB2RGB,
}
for _name, _code in _BAYER.items():
    _PACKED[f'{_name}8'] = (1, np.uint8, _code)
    _PACKED[f'{_name}16'] = (1, np.uint16, _code)

# Those that cv_bridge turns into the same pixels.
BRIDGED = (
    *('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8'),
    *('bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8'),
)
# Two pixels share their colour.
_YUV = ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv')

# Depth images and other measurements: numbers that are no picture.
_MEASUREMENTS = ('16UC1', '16SC1', '32SC1', '32FC1', '64FC1')
_NO_COLOURS = (
    'the image has encoding {}, which is a depth image or another measurement: '
    'give the topic of the colour camera'
)


def to_rgb(message: Image | CompressedImage) -> np.ndarray:
    """The message's picture as a new or read-only uint8 array [height, width, 3], RGB.

    16-bit pictures keep their upper 8 bits. Raises `UnsupportedImage` with a sentence that says
    what to do; that is so for all that can be in a message, and before memory is taken for it.
    """
    try:
        # Only a CompressedImage has a format.
        return _decode(message) if hasattr(message, 'format') else _unpack(message)
    except BadImage as error:
        raise UnsupportedImage(f'the image cannot be used: {error}') from None
    except (cv2.error, MemoryError) as error:
        raise UnsupportedImage(f'the image cannot be converted: {printable(str(error))}') from None


def _unpack(message: Image) -> np.ndarray:
    encoding = message.encoding
    if encoding not in _PACKED:
        raise UnsupportedImage(_refusal(encoding))
    channels, dtype, code = _PACKED[encoding]
    height, width, step = message.height, message.width, message.step
    row = width * channels * np.dtype(dtype).itemsize
    if not height or not width:
        raise UnsupportedImage(f'the image is empty ({width}x{height})')
    if step < row or len(message.data) < step * (height - 1) + row:
        raise UnsupportedImage(
            f'the image is cut short: {width}x{height} {encoding} with step {step} holds '
            f'{len(message.data)} bytes; its driver is broken'
        )
    check_size(width, height)
    if encoding in _YUV and width % 2:
        raise UnsupportedImage(f'a {encoding} image needs an even width, not {width}')
    is_plain = len(message.data) == row * height and not message.is_bigendian
    if encoding in BRIDGED and is_plain and (bridge := cv_bridge()):
        try:
            return bridge.imgmsg_to_cv2(message, 'rgb8')
        except Exception:
            pass  # what is wrong, the conversion below says in words
    # Rows may be padded (step), and the last one need not be: stride over the bytes.
    rows = np.lib.stride_tricks.as_strided(
        np.frombuffer(message.data, np.uint8), (height, row), (step, 1), writeable=False
    )
    order = '>' if message.is_bigendian else '<'
    pixels = np.ascontiguousarray(rows).view(np.dtype(dtype).newbyteorder(order))
    if dtype is np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if channels > 1:
        pixels = pixels.reshape(height, width, channels)
    return pixels if code is None else cv2.cvtColor(pixels, code)


def _decode(message: CompressedImage) -> np.ndarray:
    # 'rgb8; jpeg compressed bgr8': what the camera sent, and what was compressed.
    words = message.format.replace(';', ' ').split() or ['']
    if words[0] in _MEASUREMENTS or 'compressedDepth' in words:
        raise UnsupportedImage(_NO_COLOURS.format(printable(message.format)))
    # A camera's raw mosaic may be compressed as it is: 'bayer_rggb8; jpeg compressed bayer_rggb8'.
    mosaic = _BAYER.get(words[-1].removesuffix('8'))
    flags = cv2.IMREAD_GRAYSCALE if mosaic is not None else cv2.IMREAD_COLOR
    try:
        image = decode(bytes(message.data), flags)
    except BadImage as error:
        raise UnsupportedImage(
            f'the compressed image ({len(message.data)} bytes, format '
            f"'{printable(message.format)}') cannot be decoded: {error}"
        ) from None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB if mosaic is None else mosaic)


@cache
def cv_bridge() -> Any:
    """The CvBridge, or None where it is not installed or does not work with this NumPy."""
    try:
        from cv_bridge import CvBridge
        from sensor_msgs.msg import Image

        bridge = CvBridge()
        # One built for another NumPy can be imported, and fails at the first picture.
        pixel = Image(encoding='bgr8', height=1, width=1, step=3, data=bytes((1, 2, 3)))
        works = bridge.imgmsg_to_cv2(pixel, 'rgb8').tolist() == [[[3, 2, 1]]]
    except Exception:  # whatever it is that it fails with
        return None
    return bridge if works else None


def _refusal(encoding: str) -> str:
    if encoding in _MEASUREMENTS:
        return _NO_COLOURS.format(encoding)
    return (
        f"the image has encoding '{printable(encoding)}', which is not known; known are "
        f'{", ".join(sorted(_PACKED))}'
    )
