import math

import cv2
import numpy as np
import pytest

from posemap_ros.camera import Camera, CameraMismatch, ImageAdapter, InvalidCamera

PINHOLE = Camera(640, 480, 525.0, 520.0, 318.0, 243.5)
PLUMB_BOB = (-0.25, 0.08, 0.001, -0.002, -0.01)
RATIONAL = (0.4, -0.3, 0.0005, 0.0003, -0.02, 0.7, -0.25, -0.05)
EQUIDISTANT = (0.02, -0.01, 0.004, -0.001)
LENSES = [
    ('plumb_bob', PLUMB_BOB),
    ('rational_polynomial', RATIONAL),
    ('equidistant', EQUIDISTANT),
    ('rational_polynomial', (*RATIONAL, 0.003, -0.001, 0.002, 0.001)),  # with a thin prism
]
SIZES = [(640, 480), (320, 240), (214, 160), (100, 60)]


def with_lens(camera, lens):
    return Camera(
        camera.width, camera.height, camera.fx, camera.fy, camera.cx, camera.cy, lens[0], lens[1]
    )


def naive_distort(model, k, x, y):
    """Each model as its textbook writes it, one point at a time."""
    if model == 'none':
        return x, y
    if model == 'equidistant':
        r = math.hypot(x, y)
        t = math.atan(r)
        bent = t + k[0] * t**3 + k[1] * t**5 + k[2] * t**7 + k[3] * t**9
        return (x * bent / r, y * bent / r) if r > 1e-12 else (x, y)
    k1, k2, p1, p2, k3, k4, k5, k6 = (*k, 0.0, 0.0, 0.0, 0.0)[:8]
    s1, s2, s3, s4 = (*k[8:], 0.0, 0.0, 0.0, 0.0)[:4]
    r2 = x * x + y * y
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + s1 * r2 + s2 * r2**2,
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + s3 * r2 + s4 * r2**2,
    )


def directions(camera):
    """Directions [h, w, 2] (z = 1) of the pixel centres, by OpenCV's inverse of the lens."""
    K = camera.matrix_opencv()
    v, u = np.mgrid[: camera.height, : camera.width].astype(np.float64)
    points = np.stack([u, v], -1).reshape(-1, 1, 2)
    if camera.distortion_model == 'none':
        xy = (points - K[:2, 2]) / (K[0, 0], K[1, 1])
    elif camera.distortion_model == 'equidistant':
        xy = cv2.fisheye.undistortPoints(points, K, np.array(camera.distortion))
    else:
        stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
        xy = cv2.undistortPointsIter(points, K, np.array(camera.distortion), None, None, stop)
    return xy.reshape(camera.height, camera.width, 2)


# --- the camera as a value


@pytest.mark.parametrize(
    ('change', 'word'),
    [
        ({'width': 0}, 'width'),
        ({'height': 4.5}, 'height'),
        ({'fx': -1.0}, 'fx'),
        ({'fy': math.nan}, 'fy'),
        ({'cx': math.inf}, 'cx'),
        ({'distortion_model': 'thin_prism'}, 'thin_prism'),
        ({'distortion_model': 'plumb_bob', 'distortion': (1.0,)}, 'coefficients'),
        ({'distortion_model': 'equidistant', 'distortion': (0, 0, 0, math.nan)}, 'finite'),
        ({'wide': 3}, 'wide'),
        ({'fx': 'abc'}, 'abc'),
    ],
)
def test_impossible_intrinsics_are_refused_by_name(change, word):
    with pytest.raises(InvalidCamera, match=word):
        Camera.from_dict(PINHOLE.to_dict() | change)


def test_dict_round_trip():
    camera = with_lens(PINHOLE, LENSES[0])
    assert Camera.from_dict(camera.to_dict()) == camera


def test_missing_entry_is_named():
    values = PINHOLE.to_dict()
    del values['fy']
    with pytest.raises(InvalidCamera, match='fy'):
        Camera.from_dict(values)


def test_pixel_centres_of_ros_are_half_a_pixel_off_ours():
    K = [500.0, 0, 319.5, 0, 501.0, 239.5, 0, 0, 1]
    camera = Camera.from_camera_info(640, 480, K, 'plumb_bob', [0.0] * 5)
    assert camera == Camera(640, 480, 500, 501, 320, 240)
    np.testing.assert_array_equal(camera.matrix_opencv(), np.reshape(K, (3, 3)))


@pytest.mark.parametrize(
    ('model', 'D', 'expected'),
    [
        ('', [], 'none'),
        ('plumb_bob', [0.1, 0, 0, 0], 'plumb_bob'),
        ('plumb_bob', [0.1, 0, 0, 0, 0, 0, 0, 0], 'plumb_bob'),
        ('rational_polynomial', [0.1, 0, 0, 0, 0, 0.2, 0, 0], 'rational_polynomial'),
        ('rational_polynomial', [0.0] * 8, 'none'),
        ('rational_polynomial', [0.0] * 14, 'none'),
        ('rational_polynomial', [0.1, 0, 0, 0, 0, 0.2, *[0.0] * 8], 'rational_polynomial'),
        ('equidistant', [0.0] * 4, 'equidistant'),
        ('equidistant', [], 'equidistant'),
    ],
)
def test_distortion_as_drivers_write_it(model, D, expected):
    K = [500.0, 0, 319.5, 0, 501.0, 239.5, 0, 0, 1]
    assert Camera.from_camera_info(640, 480, K, model, D).distortion_model == expected


@pytest.mark.parametrize(
    ('K', 'word'),
    [
        ([0.0] * 9, 'not calibrated'),
        ([1.0] * 4, '9 numbers'),
        ([500, 9, 1, 0, 5, 1, 0, 0, 1], 'skew'),
    ],
)
def test_useless_camera_info(K, word):
    with pytest.raises(InvalidCamera, match=word):
        Camera.from_camera_info(640, 480, K)


IDENTITY = [1.0, 0, 0, 0, 1, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ('K', 'word'),
    [
        (IDENTITY, 'fx = 1, .*640x480 pixels.*it would see 180 x 180 deg.*calibrate'),
        ([0.8, 0, 0.5, 0, 1.1, 0.5, 0, 0, 1], 'fx = 0.8.*must be in pixels'),
        ([1e7, 0, 320, 0, 1e7, 240, 0, 0, 1], 'fx = 1e[+]07.*deg'),
        ([1e308, 0, 320, 0, 1e308, 240, 0, 0, 1], 'fx = 1e[+]308'),
        ([1e5, 0, 320, 0, 500, 240, 0, 0, 1], 'pixels would be 0.005 times as wide as high'),
        ([500, 0, 1e9, 0, 500, 240, 0, 0, 1], 'centre'),
        ([500, 0, math.nan, 0, 500, 240, 0, 0, 1], 'cx must be finite'),
        ([500, math.nan, 320, 0, 500, 240, 0, 0, 1], 'skew'),
    ],
)
def test_what_is_of_no_real_camera_is_refused(K, word):
    with pytest.raises(InvalidCamera, match=word):
        Camera.from_camera_info(640, 480, K)


@pytest.mark.parametrize(
    ('size', 'focal', 'centre'),
    [
        ((640, 480), (525, 520), (318, 243)),  # a depth camera's
        ((1280, 720), (330, 330), (640, 360)),  # a fisheye of 220 degrees
        ((4000, 3000), (40_000, 40_000), (2000, 1500)),  # a telescope
        ((640, 60), (525, 130), (318, 30)),  # every fourth row, cropped
        ((160, 120), (525, 525), (-300, 420)),  # cropped by who changes K instead of the region
    ],
)
def test_unusual_cameras_are_taken(size, focal, centre):
    K = [focal[0], 0, centre[0], 0, focal[1], centre[1], 0, 0, 1]
    assert Camera.from_camera_info(*size, K).fx == focal[0]


def test_a_long_list_of_coefficients_is_refused():
    with pytest.raises(InvalidCamera, match='at most 14 numbers, not 1000'):
        Camera.from_camera_info(640, 480, [500, 0, 320, 0, 500, 240, 0, 0, 1], '', [0.0] * 1000)


# --- geometry


@pytest.mark.parametrize('stride', [1, 4, 16])
def test_rays_project_onto_the_centres_of_their_blocks(stride):
    camera = PINHOLE.resized(427, 240)  # neither side of which 16 divides both ways
    rays = camera.rays(stride).numpy()
    assert rays.shape == (240 // stride, 427 // stride, 3)
    pixels = camera.project(rays)
    v, u = np.mgrid[: rays.shape[0], : rays.shape[1]]
    np.testing.assert_allclose(pixels[..., 0], (u + 0.5) * stride, atol=1e-3)
    np.testing.assert_allclose(pixels[..., 1], (v + 0.5) * stride, atol=1e-3)


def test_rays_of_a_distorted_camera_are_refused():
    with pytest.raises(InvalidCamera, match=r'undistorted\(\)'):
        with_lens(PINHOLE, LENSES[0]).rays()


def test_resizing_keeps_every_direction_at_the_same_place_of_the_image():
    points = np.random.default_rng(0).normal(size=(50, 3)) * (0.3, 0.3, 0) + (0, 0, 1)
    small = PINHOLE.resized(107, 60)
    np.testing.assert_allclose(
        small.project(points) / (107, 60), PINHOLE.project(points) / (640, 480), atol=1e-12
    )
    assert small.fx / PINHOLE.fx != small.fy / PINHOLE.fy


@pytest.mark.parametrize('size', [(640, 480), (1920, 1080), (854, 480), (641, 479), (480, 480)])
@pytest.mark.parametrize(('pixels', 'multiple'), [(144, 16), (120, 1), (100, 16)])
def test_the_shorter_side_is_the_height_of_landscape_and_the_width_of_portrait(
    size, pixels, multiple
):
    width, height = size
    landscape = Camera(width, height, 500.0, 510.0, 310.0, 230.0)
    h = round(pixels / multiple) * multiple
    expected = landscape.resized(round(width * h / height / multiple) * multiple, h)
    assert landscape.with_shorter_side(pixels, multiple) == expected
    upright = Camera(height, width, 510.0, 500.0, 230.0, 310.0)
    turned = upright.with_shorter_side(pixels, multiple)
    assert (turned.width, turned.height) == (expected.height, expected.width)
    assert (turned.fx, turned.cy) == (expected.fy, expected.cx)


def test_a_longer_side_is_shrunk_and_never_stretched():
    sides = {}
    for width, height in ((640, 480), (480, 640), (320, 240), (240, 320), (2000, 1)):
        camera = Camera(width, height, 400.0, 400.0, width / 2, height / 2)
        smaller = camera.with_longer_side_at_most(320)
        sides[width, height] = smaller.width, smaller.height
    assert list(sides.values()) == [(320, 240), (240, 320), (320, 240), (240, 320), (320, 1)]


@pytest.mark.parametrize('lens', [('none', ()), *LENSES])
def test_projection_against_the_textbook(lens):
    camera = with_lens(PINHOLE, lens)
    points = np.random.default_rng(1).uniform((-0.5, -0.4, 1), (0.5, 0.4, 1), size=(40, 3))
    points *= np.linspace(0.3, 5, 40)[:, None]
    expected = []
    for x, y, z in points:
        bent_x, bent_y = naive_distort(*lens, x / z, y / z)
        expected.append((camera.fx * bent_x + camera.cx, camera.fy * bent_y + camera.cy))
    np.testing.assert_allclose(camera.project(points), expected, atol=1e-9)


def test_what_is_behind_or_beyond_the_fold_of_the_lens_is_not_projected():
    camera = with_lens(PINHOLE, ('plumb_bob', (-0.3, 0.0, 0.0, 0.0)))  # folds at r = 1.054
    pixels = camera.project(np.array([[1.0, 0, 1], [1.1, 0, 1], [0, 0, -1], [0, 0, 0]]))
    assert np.isfinite(pixels).all(axis=1).tolist() == [True, False, False, False]


# --- adapting images


@pytest.mark.parametrize('lens', [('none', ()), *LENSES])
def test_lights_at_known_directions_appear_where_they_are_projected(lens):
    """Round lights, drawn through the lens: their centroids are right to a few 0.001 px."""
    source = with_lens(PINHOLE, lens)
    seen_from_source = directions(source)
    targets = [Camera(640, 480, 560, 540, 325, 236).resized(*size) for size in SIZES]
    adapters = [ImageAdapter(source, target) for target in targets]
    for light in [(0.0, 0.0), (-0.4, 0.3), (0.35, -0.25), (0.11, 0.32)]:
        away = np.sum((seen_from_source - light) ** 2, axis=-1)
        picture = np.repeat((255 * np.exp(-away / 2 / 0.03**2))[..., None], 3, axis=2)
        for target, adapter in zip(targets, adapters, strict=True):
            weights = adapter(picture.round().astype(np.uint8))[..., 0].astype(float)
            v, u = np.mgrid[: target.height, : target.width] + 0.5
            centroid = np.array([(u * weights).sum(), (v * weights).sum()]) / weights.sum()
            expected = target.project(np.array([*light, 1.0]))
            np.testing.assert_allclose(centroid, expected, atol=0.01)


@pytest.mark.parametrize('lens', LENSES)
def test_lookup_tables_are_right_to_a_hundredth_of_a_pixel(lens):
    source = with_lens(PINHOLE, lens)
    target = Camera(640, 480, 600, 610, 321, 237)
    adapter = ImageAdapter(source, target)
    for u, v in [(0, 0), (639, 0), (320, 240), (100, 400), (639, 479)]:
        x, y = (u + 0.5 - target.cx) / target.fx, (v + 0.5 - target.cy) / target.fy
        bent_x, bent_y = naive_distort(*lens, x, y)
        # OpenCV's remap has its zero at the centre of the first pixel.
        expected_x = source.fx * bent_x + source.cx - 0.5
        expected_y = source.fy * bent_y + source.cy - 0.5
        assert adapter._map_x[v, u] == pytest.approx(expected_x, abs=1e-3)
        assert adapter._map_y[v, u] == pytest.approx(expected_y, abs=1e-3)


@pytest.mark.parametrize('lens', LENSES)
def test_agrees_with_opencvs_own_undistortion(lens):
    source = with_lens(PINHOLE, lens)
    random = np.random.default_rng(3)
    image = cv2.GaussianBlur(random.integers(0, 256, (480, 640, 3), np.uint8), (0, 0), 4)
    image = cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX)
    K, D = source.matrix_opencv(), np.array(source.distortion)
    if lens[0] == 'equidistant':
        expected = cv2.fisheye.undistortImage(image, K, D, Knew=K)
    else:
        expected = cv2.undistort(image, K, D)
    ours = ImageAdapter(source, source.undistorted())(image)
    inner = np.s_[20:-20, 20:-20]
    difference = ours[inner].astype(int) - expected[inner]
    assert np.abs(difference).max() <= 3


def test_plain_halving_is_the_mean_of_each_block():
    image = np.random.default_rng(4).integers(0, 256, (480, 640, 3), np.uint8)
    small = ImageAdapter(PINHOLE, PINHOLE.resized(320, 240))(image)
    blocks = image.reshape(240, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() <= 0.5


@pytest.mark.parametrize('size', [(1920, 1080), (640, 360)])
def test_shrinking_does_not_alias(size):
    """A fine checkerboard becomes even grey; sampled pixel by pixel it is stripes of 0 and 255."""
    source = Camera(1920, 1080, 1400, 1400, 960, 540, 'plumb_bob', PLUMB_BOB).resized(*size)
    target = Camera(160, 90, 140, 140, 80, 45)
    v, u = np.mgrid[: source.height, : source.width]
    checkerboard = np.repeat(((u + v) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    grey = ImageAdapter(source, target)(checkerboard)[10:-10, 10:-10]
    assert np.abs(grey.astype(int) - 127).max() < 40
    assert grey.std() < 10


def test_the_tables_of_a_very_large_source_stay_small():
    source = Camera(3840, 2160, 2800, 2800, 1920, 1080, 'plumb_bob', PLUMB_BOB)
    adapter = ImageAdapter(source, Camera(320, 240, 400, 400, 160, 120))
    assert adapter._map_x.size <= 9 * 320 * 240


@pytest.mark.parametrize('fx', [1e-300, 1.0, 1e5, 1e7, 1e300])
@pytest.mark.parametrize('fy', [1.0, 500.0, 1e7])
def test_the_tables_stay_small_for_whatever_camera(fx, fy, monkeypatch):
    """Datasets may hold such cameras, too: nothing larger than the tables' bound is made."""
    target = Camera(32, 24, 30, 30, 16, 12)
    made = []
    undistort = cv2.initUndistortRectifyMap
    monkeypatch.setattr(
        cv2, 'initUndistortRectifyMap', lambda *args: made.append(args[4]) or undistort(*args)
    )
    try:
        ImageAdapter(Camera(640, 480, fx, fy, 320, 240), target)
    except CameraMismatch:
        pass
    [(width, height)] = made
    assert width * height <= 9 * 32 * 24


@pytest.mark.parametrize(
    ('model', 'D'),
    [
        ('plumb_bob', (-5.0, 0, 0, 0)),
        ('plumb_bob', (1e308, -1e308, 1e308, 0)),
        ('rational_polynomial', (0, 0, 0, 0, 0, -1e300, 1e300, 0)),
        ('equidistant', (-1.0, 1e300, -1e308, 0)),
    ],
)
def test_a_distortion_that_folds_back_inside_the_image_is_refused(model, D):
    with pytest.raises(CameraMismatch, match='sees only.*calibrate'):
        ImageAdapter(with_lens(PINHOLE, (model, D)), PINHOLE)


def test_same_camera_leaves_the_image_alone():
    image = np.random.default_rng(5).integers(0, 256, (480, 640, 3), np.uint8)
    np.testing.assert_array_equal(ImageAdapter(PINHOLE, PINHOLE)(image), image)


def test_what_the_source_does_not_see_is_black_and_counted():
    source = Camera(100, 100, 100, 100, 50, 50)
    target = Camera(100, 100, 90, 100, 50, 50)  # 111 source columns wide
    adapter = ImageAdapter(source, target)
    out = adapter(np.full((100, 100, 3), 255, np.uint8))
    assert adapter.coverage == pytest.approx(0.9, abs=0.01)
    assert not out[:, :5].any() and not out[:, -5:].any()
    assert (out[:, 5:-5] == 255).all()  # also at the border: no half-pixel fade into black


def test_too_narrow_a_lens_is_refused_with_both_cameras_described():
    with pytest.raises(CameraMismatch, match='100x100.*sees only 25 % .*needed.*100x100'):
        ImageAdapter(Camera(100, 100, 200, 200, 50, 50), Camera(100, 100, 100, 100, 50, 50))


def test_a_distorted_target_is_refused():
    with pytest.raises(InvalidCamera, match='plumb_bob'):
        ImageAdapter(PINHOLE, with_lens(PINHOLE, LENSES[0]))


@pytest.mark.parametrize('shape', [(480, 640), (240, 320, 3), (480, 640, 4)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match='480, 640, 3'):
        ImageAdapter(PINHOLE, PINHOLE)(np.zeros(shape, np.uint8))


def test_float_images_are_refused():
    with pytest.raises(ValueError, match='float'):
        ImageAdapter(PINHOLE, PINHOLE)(np.zeros((480, 640, 3), np.float32))


def test_the_pixels_that_the_source_sees_are_those_that_are_not_black():
    """A lens with pincushion distortion does not see the corners of its own pinhole camera."""
    source = Camera(160, 120, 100.0, 100.0, 80.0, 60.0, 'plumb_bob', (0.15, 0.0, 0.0, 0.0, 0.0))
    adapter = ImageAdapter(source, source.undistorted())
    seen = adapter.seen()
    assert seen[60, 80] and not seen[0, 0] and 0.7 < seen.mean() < 1.0
    image = adapter(np.full((120, 160, 3), 90, np.uint8))
    assert (image[seen] == 90).all() and (image[~seen] < 90).all(axis=-1).mean() > 0.95
    plain = Camera(160, 120, 100.0, 100.0, 80.0, 60.0)
    assert ImageAdapter(plain, plain.resized(80, 60)).seen().all()
