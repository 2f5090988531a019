import errno
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from posemap_ros.dataset import ImageError
from posemap_ros.dataset.image_io import encode_image, read_image, read_image_size, write_image

# Smooth, so that JPEG keeps it, and with a colour that shows a swap of red and blue.
RAMP = np.zeros((48, 64, 3), np.uint8)
RAMP[..., 0] = np.arange(64) * 3
RAMP[..., 2] = np.arange(48)[:, None]


def png_that_claims(width, height):
    def chunk(kind, data):
        checksum = struct.pack('>I', zlib.crc32(kind + data))
        return struct.pack('>I', len(data)) + kind + data + checksum

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    body = chunk(b'IDAT', zlib.compress(b'\0' * 1000))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + body + chunk(b'IEND', b'')


def jpeg_that_claims(width, height):
    data = bytearray(encode_image(RAMP, '.jpg'))
    start = data.index(b'\xff\xc0')
    data[start + 5 : start + 9] = struct.pack('>HH', height, width)
    return bytes(data)


@pytest.mark.parametrize(('suffix', 'tolerance'), [('.png', 0), ('.jpg', 6), ('.JPEG', 6)])
def test_round_trip(tmp_path, suffix, tolerance):
    path = tmp_path / f'image{suffix}'
    write_image(path, RAMP)
    assert read_image_size(path) == (64, 48)
    image = read_image(path, size=(64, 48))
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - RAMP).max() <= tolerance
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_grey_16_bit_and_transparent_images_become_rgb(tmp_path):
    path = tmp_path / 'image.png'
    for stored in (
        np.full((4, 5), 200, np.uint8),
        np.full((4, 5), 200 * 257, np.uint16),
        np.full((4, 5, 4), 200, np.uint8),
    ):
        cv2.imwrite(str(path), stored)
        np.testing.assert_array_equal(read_image(path), np.full((4, 5, 3), 200))


def test_exif_orientation_is_ignored(tmp_path):
    data = encode_image(RAMP, '.jpg')
    tiff = b'MM\0*\0\0\0\x08' + struct.pack('>HHHIHHI', 1, 0x0112, 3, 1, 6, 0, 0)  # turn by 90
    exif = b'Exif\0\0' + tiff
    path = tmp_path / 'turned.jpg'
    path.write_bytes(data[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + data[2:])
    assert cv2.imread(str(path)).shape == (64, 48, 3)  # OpenCV by itself turns it
    assert read_image(path).shape == (48, 64, 3)
    assert read_image_size(path) == (64, 48)


@pytest.mark.parametrize('claim', [png_that_claims, jpeg_that_claims])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path, claim, monkeypatch):
    path = tmp_path / 'bomb'
    path.write_bytes(claim(60_000, 60_000))
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('it was decoded'))
    with pytest.raises(ImageError, match='60000x60000'):
        read_image(path)


def test_an_image_of_another_size_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    path = tmp_path / 'image.png'
    path.write_bytes(png_that_claims(5000, 5000))
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('it was decoded'))
    with pytest.raises(ImageError, match='5000x5000, its camera is 64x48'):
        read_image(path, size=(64, 48))


@pytest.mark.parametrize(
    ('content', 'word'),
    [
        (b'', 'empty'),
        (b'not an image at all', 'not a JPEG or PNG'),
        (b'\x89PNG\r\n\x1a\n', 'cut short'),
        (b'\xff\xd8\xff', 'cut short'),
        (encode_image(RAMP, '.jpg')[:-300], 'cut short'),
        (encode_image(RAMP, '.png')[:-60], 'cut short'),
        (png_that_claims(0, 0), '0x0'),
    ],
)
def test_damaged_files_are_named(tmp_path, content, word):
    path = tmp_path / 'frame.jpg'
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f'frame.jpg.*{word}'):
        read_image(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(ImageError, match='nothing.jpg.*No such file'):
        read_image(tmp_path / 'nothing.jpg')
    with pytest.raises(ImageError, match='directory'):
        read_image(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'image.jpg')
    with pytest.raises(ImageError, match='image.jpg is a pipe'):
        read_image(tmp_path / 'image.jpg')


def test_a_full_disk_leaves_the_old_image(tmp_path, monkeypatch):
    path = tmp_path / 'image.png'
    write_image(path, RAMP)
    before = path.read_bytes()

    def full(self, data):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OSError, match='No space'):
        write_image(path, RAMP // 2)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ['image.png']
