"""What an encoded image costs is known before it is decoded."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from posemap_ros.support import encoded_image
from posemap_ros.support.encoded_image import BadImage, decode, image_size

IMAGE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
PNG = cv2.imencode('.png', IMAGE)[1].tobytes()
JPEG = cv2.imencode('.jpg', IMAGE)[1].tobytes()
PROGRESSIVE = cv2.imencode('.jpg', IMAGE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


@pytest.fixture
def not_decoded(monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('it was decoded'))


def test_whole_images_are_decoded():
    np.testing.assert_array_equal(decode(PNG), IMAGE)
    for data in (JPEG, PROGRESSIVE):
        assert image_size(data) == (32, 24)
        assert decode(data, cv2.IMREAD_GRAYSCALE).shape == (24, 32)


def test_a_jpeg_that_is_painted_anew_again_and_again(not_decoded):
    scan = PROGRESSIVE[PROGRESSIVE.rindex(b'\xff\xda') : -2]
    with pytest.raises(BadImage, match='scans'):
        decode(PROGRESSIVE[:-2] + 200 * scan + PROGRESSIVE[-2:])


@pytest.mark.parametrize(
    'data',
    [
        PNG[:33] + b'\xff\0\0\x0dIDAT',  # a chunk that claims 4 GB
        PNG[:33] + chunk(b'acTL', bytes(8)) + PNG[33:],  # an animation
        PNG[:33] + 200_000 * chunk(b'tEXt', b'') + PNG[33:],
        PNG[:-12],
    ],
)
def test_a_png_whose_chunks_are_not_what_they_should_be(not_decoded, data):
    assert image_size(data) == (32, 24)
    with pytest.raises(BadImage, match='damaged'):
        decode(data)


@pytest.mark.parametrize(
    'data',
    [
        PNG[:8] + b'\xff\0\0\x0d' + PNG[12:],  # a header that claims 4 GB
        b'\xff\xd8' + b'\xff' * 1_000_000,
        b'\xff\xd8' + b'\xff\xe0\0\x02' * 20_000 + JPEG[2:],
        # Segments without a length, behind which decoders look for a size elsewhere.
        b'\xff\xd8\xff\xd0\0\x02' + JPEG[2:],
        b'\xff\xd8\xff\x01\0\x02' + JPEG[2:],
        b'\xff\xd8\xff\xe0\0\0' + JPEG[2:],
        cv2.imencode('.bmp', IMAGE)[1].tobytes(),
    ],
)
def test_a_header_that_is_none(not_decoded, data):
    with pytest.raises(BadImage, match='not a JPEG or PNG'):
        decode(data)


@pytest.mark.parametrize('size', [(0, 5), (encoded_image.MOST_PIXELS + 1, 1), (60_000, 60_000)])
def test_sizes_that_are_not_read(size):
    with pytest.raises(BadImage, match=f'{size[0]}x{size[1]}'):
        encoded_image.check_size(*size)
