"""From an image message to a uint8 RGB array.

Takes the messages of rclpy and those read from a bag without ROS alike: they have the same fields.

Done with NumPy and OpenCV instead of cv_bridge, which cannot turn mono16 or yuv422 into rgb8 (it
raises a bare KeyError), ties NumPy to a version below 2, and hides what it refuses behind C++
exceptions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

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

# Depth images and other measurements: numbers that are no picture.
_MEASUREMENTS = ('16UC1', '16SC1', '32SC1', '32FC1', '64FC1')


def to_rgb(message: Image | CompressedImage) -> np.ndarray:
    """The message's picture as a new or read-only uint8 array [height, width, 3], RGB.

    16-bit pictures keep their upper 8 bits. Raises `UnsupportedImage` with a sentence that says
    what to do.
    """
    if hasattr(message, 'format'):  # only a CompressedImage has one
        return _decode(message)
    return _unpack(message)


def _unpack(message: Image) -> np.ndarray:
    if message.encoding not in _PACKED:
        raise UnsupportedImage(_refusal(message.encoding))
    channels, dtype, code = _PACKED[message.encoding]
    height, width, step = message.height, message.width, message.step
    row = width * channels * np.dtype(dtype).itemsize
    if not height or not width:
        raise UnsupportedImage(f'the image is empty ({width}x{height})')
    if step < row or len(message.data) < step * (height - 1) + row:
        raise UnsupportedImage(
            f'the image is cut short: {width}x{height} {message.encoding} with step {step} holds '
            f'{len(message.data)} bytes; its driver is broken'
        )
    if message.encoding in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv') and width % 2:
        raise UnsupportedImage(f'a {message.encoding} image needs an even width, not {width}')
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
    if 'compressedDepth' in message.format:
        raise UnsupportedImage(_refusal(message.format))
    encoded = np.frombuffer(message.data, np.uint8)
    # A camera's raw mosaic may be compressed as it is: 'bayer_rggb8; jpeg compressed bayer_rggb8'.
    stored = message.format.split()[-1] if message.format else ''
    mosaic = _BAYER.get(stored.removesuffix('8'))
    flags = cv2.IMREAD_GRAYSCALE if mosaic is not None else cv2.IMREAD_COLOR
    try:
        image = cv2.imdecode(encoded, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:  # raised for an empty buffer, where a corrupt one gives None
        image = None
    if image is None:
        raise UnsupportedImage(
            f'the compressed image ({len(encoded)} bytes, format {message.format!r}) cannot be '
            'decoded; JPEG and PNG can'
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB if mosaic is None else mosaic)


def _refusal(encoding: str) -> str:
    if encoding in _MEASUREMENTS or 'compressedDepth' in encoding:
        return (
            f'the image has encoding {encoding}, which is a depth image or another measurement: '
            'give the topic of the colour camera'
        )
    return (
        f'the image has encoding {encoding!r}, which is not known; known are '
        f'{", ".join(sorted(_PACKED))}'
    )
