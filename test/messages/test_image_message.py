import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from posemap_ros.messages.image_message import UnsupportedImage, to_rgb

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
ALPHA = np.full((6, 8, 1), 7, np.uint8)
GREY = RGB[..., 0]


def raw(encoding, pixels, padding=0, big_endian=False):
    rows = pixels.reshape(len(pixels), math.prod(pixels.shape[1:])).view(np.uint8)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    return SimpleNamespace(
        encoding=encoding,
        height=pixels.shape[0],
        width=pixels.shape[1],
        step=padded.shape[1],
        is_bigendian=big_endian,
        data=padded.ravel(),
    )


def compressed(image, suffix='.png', format='rgb8; png compressed bgr8'):
    data = cv2.imencode(suffix, image)[1]
    return SimpleNamespace(format=format, data=data.ravel())


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize(
    ('encoding', 'pixels', 'expected'),
    [
        ('rgb8', RGB, RGB),
        ('bgr8', RGB[..., ::-1].copy(), RGB),
        ('rgba8', np.concatenate([RGB, ALPHA], -1), RGB),
        ('bgra8', np.concatenate([RGB[..., ::-1], ALPHA], -1), RGB),
        ('mono8', GREY, np.repeat(GREY[..., None], 3, -1)),
        ('8UC1', GREY, np.repeat(GREY[..., None], 3, -1)),
        ('8UC3', RGB[..., ::-1].copy(), RGB),
    ],
)
def test_encodings(encoding, pixels, expected, padding):
    np.testing.assert_array_equal(to_rgb(raw(encoding, pixels, padding)), expected)


def test_the_last_row_need_not_be_padded():
    message = raw('rgb8', RGB, padding=4)
    message.data = message.data[:-4]
    np.testing.assert_array_equal(to_rgb(message), RGB)


@pytest.mark.parametrize('big_endian', [False, True])
def test_of_16_bits_the_upper_8_stay(big_endian):
    deep = (GREY.astype(np.uint16) << 8 | 0x34).astype('>u2' if big_endian else '<u2')
    expected = np.repeat(GREY[..., None], 3, -1)
    np.testing.assert_array_equal(to_rgb(raw('mono16', deep, big_endian=big_endian)), expected)


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns_as_ros_names_them(pattern):
    """A one-coloured scene through the mosaic: the name gives the first two rows' filters."""
    colour = {'r': 200, 'g': 120, 'b': 40}
    tile = np.array(
        [[colour[pattern[0]], colour[pattern[1]]], [colour[pattern[2]], colour[pattern[3]]]]
    )
    mosaic = np.tile(tile, (4, 5)).astype(np.uint8)
    np.testing.assert_array_equal(
        to_rgb(raw(f'bayer_{pattern}8', mosaic))[2:-2, 2:-2], np.full((4, 6, 3), (200, 120, 40))
    )


@pytest.mark.parametrize(('encoding', 'order'), [('yuv422', (1, 0)), ('yuv422_yuy2', (0, 1))])
def test_grey_in_yuv(encoding, order):
    pixels = np.empty((6, 8, 2), np.uint8)
    pixels[..., order[0]], pixels[..., order[1]] = 126, 128  # luma of mid grey, no chroma
    image = to_rgb(raw(encoding, pixels))
    assert np.abs(image.astype(int) - 128).max() <= 1


def test_compressed():
    np.testing.assert_array_equal(to_rgb(compressed(RGB[..., ::-1])), RGB)


def test_compressed_grey():
    image = to_rgb(compressed(GREY, format='mono8; png compressed '))
    np.testing.assert_array_equal(image, np.repeat(GREY[..., None], 3, -1))


def test_compressed_mosaic():
    mosaic = np.tile(np.array([[200, 120], [120, 40]], np.uint8), (4, 5))
    image = to_rgb(compressed(mosaic, format='bayer_rggb8; png compressed bayer_rggb8'))
    np.testing.assert_array_equal(image[2:-2, 2:-2], np.full((4, 6, 3), (200, 120, 40)))


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
def test_depth_is_refused_as_such(encoding):
    with pytest.raises(UnsupportedImage, match=f'{encoding}.*depth'):
        to_rgb(raw(encoding, GREY))


@pytest.mark.parametrize(
    ('message', 'word'),
    [
        (raw('nv21', GREY), "'nv21'.*known are .*rgb8"),
        (raw('rgb8', GREY), 'cut short'),
        (raw('rgb8', RGB[:0]), 'empty'),
        (compressed(RGB, format='16UC1; compressedDepth'), 'depth'),
        (SimpleNamespace(format='jpeg', data=b''), '0 bytes.*cannot be decoded'),
        (SimpleNamespace(format='jpeg', data=b'\xff\xd8 no'), 'cannot be decoded'),
    ],
)
def test_what_is_no_picture_is_refused(message, word):
    with pytest.raises(UnsupportedImage, match=word):
        to_rgb(message)
