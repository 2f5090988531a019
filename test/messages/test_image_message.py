import math
import random
import sys
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

from posemap_ros.messages import image_message
from posemap_ros.messages.image_message import BRIDGED, UnsupportedImage, cv_bridge, to_rgb

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
        (SimpleNamespace(format='\t', data=b''), r"'\\t'.*cannot be decoded"),
        (SimpleNamespace(format='16UC1; png compressed ', data=b''), '16UC1.*depth'),
        (raw('\x1b[2J' + 'x' * 100_000, GREY), r"'\\x1b\[2Jx+\.\.\.', which is not known"),
    ],
)
def test_what_is_no_picture_is_refused(message, word):
    with pytest.raises(UnsupportedImage, match=word):
        to_rgb(message)


@pytest.mark.parametrize('name', ['', ' ', '\t', ';', 'png', '\x1b[2J'])
def test_a_format_that_says_nothing_is_no_obstacle(name):
    np.testing.assert_array_equal(to_rgb(compressed(RGB[..., ::-1], format=name)), RGB)


def test_a_compressed_image_that_claims_to_be_huge_is_refused_before_it_is_decoded(monkeypatch):
    message = compressed(RGB)
    message.data[16:24] = np.frombuffer(np.array([30_000, 30_000], '>u4').tobytes(), np.uint8)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('it was decoded'))
    with pytest.raises(UnsupportedImage, match='30000x30000 pixels is refused'):
        to_rgb(message)


LARGEST = 2**32 - 1  # of the fields of an Image


@pytest.mark.parametrize(
    ('height', 'width', 'step'),
    [
        (LARGEST, LARGEST, LARGEST),
        (LARGEST, 1, 1),
        (1, LARGEST, LARGEST),
        (2**31, 2, 2**31),
        (2, 8, LARGEST),
        (LARGEST, 0, 0),
        (0, LARGEST, 0),
    ],
)
def test_absurd_sizes_are_refused(height, width, step):
    message = raw('mono8', GREY)
    message.height, message.width, message.step = height, width, step
    with pytest.raises(UnsupportedImage, match='cut short|empty'):
        to_rgb(message)


def test_a_raw_image_of_too_many_pixels_is_refused():
    """The bytes are there, but three times as many would be needed."""
    pixels = np.zeros((1, 100_000_001), np.uint8)  # memory that is only claimed, not touched
    message = SimpleNamespace(
        encoding='mono8',
        height=1,
        width=pixels.size,
        step=pixels.size,
        is_bigendian=0,
        data=pixels[0],
    )
    with pytest.raises(UnsupportedImage, match='100000001x1 pixels is refused'):
        to_rgb(message)


def test_whatever_the_message_it_is_a_picture_or_refused_in_words():
    """Half of them nearly right, because what is far off is refused at the first look."""
    rng = random.Random(0)
    sizes = (0, 1, 2, 3, 4, 5, 9)
    pictures = 0
    for _ in range(5000):
        encoding = rng.choice([*image_message._PACKED, '32FC1', '', '\0'])
        height, width, channels = rng.choice(sizes), rng.choice(sizes), rng.choice((1, 2, 3, 4, 8))
        step = max(0, width * channels + rng.choice((0, 0, 0, -1, 1, 7, LARGEST)))
        length = max(0, min(step, 99) * height + rng.choice((0, 0, 0, -1, 1)))
        message = SimpleNamespace(
            encoding=encoding,
            height=rng.choice((height, height, height, LARGEST)),
            width=rng.choice((width, width, width, LARGEST)),
            step=min(step, LARGEST),
            is_bigendian=rng.choice((0, 1, 255)),
            data=rng.randbytes(length),
        )
        pictures += is_picture(message)
    assert pictures > 500


def test_whatever_the_compressed_data_it_is_a_picture_or_refused_in_words():
    rng = random.Random(1)
    whole = [
        compressed(RGB, '.png').data.tobytes(),
        compressed(GREY, '.png').data.tobytes(),
        compressed(RGB, '.jpg').data.tobytes(),
        compressed(GREY, '.jpg').data.tobytes(),
    ]
    names = ('', ' ', 'jpeg', 'rgb8; png compressed ', 'bayer_rggb8; png compressed bayer_rggb8')
    pictures = 0
    for _ in range(3000):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.choice((0, 1, 1, 2, 20))):
            place = rng.randrange(rng.choice((40, len(data))))
            data[place] = rng.choice((0, 255, rng.randrange(256)))
        end = rng.choice((None, None, rng.randrange(len(data))))
        pictures += is_picture(SimpleNamespace(format=rng.choice(names), data=bytes(data[:end])))
    assert pictures > 300


def is_picture(message):
    """Whether it is one; if not, it is refused in a short sentence without control characters."""
    try:
        image = to_rgb(message)
    except UnsupportedImage as error:
        assert len(str(error)) < 500 and str(error).isprintable()
        return False
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size
    return True


# --- cv_bridge


@pytest.fixture
def own_conversion(monkeypatch):
    """Call it to switch cv_bridge off."""
    return lambda: monkeypatch.setattr(image_message, 'BRIDGED', ())


@pytest.mark.parametrize('encoding', BRIDGED)
def test_cv_bridge_gives_the_same_pixels(encoding, own_conversion):
    bridge = cv_bridge()
    if bridge is None:
        pytest.skip('cv_bridge is not installed here, or not for this NumPy')
    from sensor_msgs.msg import Image

    channels = image_message._PACKED[encoding][0]
    data = np.random.default_rng(0).integers(0, 256, (48, 64 * channels), np.uint8).tobytes()
    message = Image(encoding=encoding, height=48, width=64, step=64 * channels, data=data)
    theirs = bridge.imgmsg_to_cv2(message, 'rgb8')
    np.testing.assert_array_equal(to_rgb(message), theirs)
    own_conversion()
    np.testing.assert_array_equal(to_rgb(message), theirs)


class _Bridge:
    """What cv_bridge looks like, as far as it is used; converts bgr8 and counts."""

    asked = 0

    def imgmsg_to_cv2(self, message, encoding):
        assert encoding == 'rgb8'
        type(self).asked += 1
        shape = (message.height, message.width, 3)
        if message.encoding != 'bgr8':
            raise KeyError((message.encoding, encoding))
        return np.frombuffer(message.data, np.uint8).reshape(shape)[..., ::-1]


@pytest.fixture
def bridge(monkeypatch):
    """A cv_bridge that is installed."""
    module = ModuleType('cv_bridge')
    module.CvBridge = type('CvBridge', (_Bridge,), {'asked': 0})
    monkeypatch.setitem(sys.modules, 'cv_bridge', module)
    cv_bridge.cache_clear()
    yield module.CvBridge
    cv_bridge.cache_clear()


def test_where_cv_bridge_is_installed_it_converts(bridge):
    pytest.importorskip('sensor_msgs')
    assert isinstance(cv_bridge(), bridge)
    before = bridge.asked
    np.testing.assert_array_equal(to_rgb(raw('bgr8', RGB[..., ::-1].copy())), RGB)
    assert bridge.asked == before + 1


def test_what_cv_bridge_cannot_convert_we_do(bridge):
    pytest.importorskip('sensor_msgs')
    # It fails, it would not know about padded rows, and it does not know the encoding.
    np.testing.assert_array_equal(to_rgb(raw('rgb8', RGB)), RGB)
    np.testing.assert_array_equal(to_rgb(raw('bgr8', RGB[..., ::-1].copy(), padding=5)), RGB)
    assert to_rgb(raw('mono16', GREY.astype('<u2'))).shape == RGB.shape


def test_a_cv_bridge_that_does_not_work_is_left_alone(bridge, monkeypatch):
    def fails(*_):
        raise ImportError('built for another NumPy')

    monkeypatch.setattr(bridge, 'imgmsg_to_cv2', fails)
    assert cv_bridge() is None
