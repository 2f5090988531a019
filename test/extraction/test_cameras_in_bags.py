"""What images in a bag become: encodings, lenses, calibrations."""

import cv2
import numpy as np
import pytest
from extracting import ALL, IMAGE, INFO, extract, refused
from recordings import (
    HEIGHT,
    WIDTH,
    camera_info,
    compressed_image,
    drive,
    ns,
    picture,
    pose_stamped,
    pose_with_covariance,
    raw_image,
    true_pose,
)

from posemap_ros.camera import Camera
from posemap_ros.dataset import open_dataset
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.messages.image_message import _PACKED


@pytest.mark.parametrize(
    ('encoding', 'pixels'),
    [
        ('rgb8', picture(3)),
        ('bgr8', picture(3)[..., ::-1]),
        ('rgba8', cv2.cvtColor(picture(3), cv2.COLOR_RGB2RGBA)),
    ],
)
def test_raw_images(tmp_path, encoding, pixels):
    messages = [('/cam/image', raw_image(ns(0), pixels, encoding), ns(0))]
    messages += [('/cam/camera_info', camera_info(ns(0)), ns(0))]
    messages += [('/pose', pose_stamped(ns(0), true_pose(0)), ns(0))]
    extract(tmp_path, messages)
    image = open_dataset(tmp_path / 'out').load(0)
    assert np.abs(image.astype(int) - picture(3)).mean() < 3  # JPEG at quality 95


@pytest.mark.parametrize('encoding', sorted(_PACKED))
def test_every_encoding_that_the_node_takes(tmp_path, encoding):
    channels, dtype, _ = _PACKED[encoding]
    grey = 120
    pixels = np.full((HEIGHT, WIDTH, channels), grey, dtype)
    if dtype is np.uint16:
        pixels <<= 8
    if encoding in ('yuv422', 'uyvy', 'yuv422_yuy2', 'yuyv'):  # ITU-R BT.601, studio range
        chroma = 0 if encoding in ('yuv422', 'uyvy') else 1
        pixels[..., chroma], pixels[..., 1 - chroma] = 128, 16 + round(grey * 219 / 255)
    messages = [('/cam/image', raw_image(ns(0), pixels, encoding), ns(0))]
    messages += [('/cam/camera_info', camera_info(ns(0)), ns(0))]
    messages += [('/pose', pose_stamped(ns(0), true_pose(0)), ns(0))]
    extract(tmp_path, messages)
    np.testing.assert_allclose(open_dataset(tmp_path / 'out').load(0), grey, atol=2)


def test_png_is_kept_as_it_is(tmp_path):
    content = cv2.imencode('.png', picture(7)[..., ::-1])[1].tobytes()
    messages = [m for m in drive(n=2) if m[0] != IMAGE]
    messages.append(
        (IMAGE, compressed_image(ns(0), content, format='rgb8; png compressed '), ns(0))
    )
    extract(tmp_path, messages)
    dataset = open_dataset(tmp_path / 'out')
    assert dataset.frames[0].path.name == '000000.png'
    np.testing.assert_array_equal(dataset.load(0), picture(7))


def test_a_compressed_mosaic_is_written_in_colour(tmp_path):
    mosaic = np.tile(np.array([[200, 120], [120, 40]], np.uint8), (HEIGHT // 2, WIDTH // 2))
    content = cv2.imencode('.png', mosaic)[1].tobytes()
    kind = 'bayer_rggb8; png compressed bayer_rggb8'
    messages = [m for m in drive(n=2) if m[0] != IMAGE]
    messages.append((IMAGE, compressed_image(ns(0), content, format=kind), ns(0)))
    extract(tmp_path, messages)
    centre = open_dataset(tmp_path / 'out').load(0)[HEIGHT // 2, WIDTH // 2]
    np.testing.assert_allclose(centre, (200, 120, 40), atol=3)


def test_distortion_is_kept(tmp_path):
    d = (0.1, -0.05, 0.001, 0.002, 0.01)
    messages = [m for m in drive(n=3) if m[0] != INFO] + [(INFO, camera_info(ns(0), d=d), ns(0))]
    extract(tmp_path, messages)
    camera = open_dataset(tmp_path / 'out').camera
    assert (camera.distortion_model, camera.distortion) == ('plumb_bob', d)


LENSES = [
    ('plumb_bob', (-0.3, 0.1, 0.001, -0.002, 0.0)),
    ('plumb_bob', (0.2, 0.05, 0.0, 0.0, 0.0)),
    ('rational_polynomial', (0.3, 0.1, 0.001, 0.0, 0.02, 0.5, 0.2, 0.03)),
    ('equidistant', (0.02, -0.01, 0.003, 0.0)),
]


@pytest.mark.parametrize(('model', 'd'), LENSES)
def test_undistorted_images_show_points_where_the_new_camera_projects_them(tmp_path, model, d):
    """Blobs drawn by OpenCV's own distortion are found where the pinhole camera sees them."""
    width, height, focal = 320, 240, 200.0
    info = camera_info(ns(0), focal, width, height, model, d)
    K = np.reshape(info.k, (3, 3))
    points = np.array([[x, y, 1.0] for x in (-0.5, 0, 0.4) for y in (-0.35, 0.1, 0.3)])
    project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    if model == 'equidistant':
        seen = project(points[:, None], np.zeros(3), np.zeros(3), K, np.array(d))[0]
    else:
        seen = project(points, np.zeros(3), np.zeros(3), K, np.array(d))[0]
    v, u = np.mgrid[:height, :width]  # OpenCV counts from the middle of the first pixel
    image = np.full((height, width, 3), 40, np.uint8)
    for x, y in seen.reshape(-1, 2):
        blob = 200 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * 2.0**2))
        image = np.maximum(image, 40 + blob[..., None]).astype(np.uint8)
    messages = [(IMAGE, compressed_image(ns(0), cv2.imencode('.png', image)[1].tobytes()), ns(0))]
    messages += [(INFO, info, ns(0)), ('/pose', pose_stamped(ns(0), true_pose(0)), ns(0))]
    options = BagOptions(pose_frame='camera_optical', undistort=True, selection=ALL)
    extraction = extract(tmp_path, messages, options)
    dataset = open_dataset(tmp_path / 'out')
    assert dataset.camera.distortion_model == 'none'
    assert f'undistorted, from {model}' in str(extraction)
    found = dataset.load(0)[..., 0].astype(float)
    assert found.min() > 25  # no black corners
    for x, y in dataset.camera.project(points):
        near = np.hypot(u + 0.5 - x, v + 0.5 - y) < 8
        weight = np.clip(found - 50, 0, None) * near
        centre = np.average(u + 0.5, weights=weight), np.average(v + 0.5, weights=weight)
        np.testing.assert_allclose(centre, (x, y), atol=0.2)


def test_a_calibration_that_cannot_be_undone(tmp_path):
    messages = [m for m in drive(n=3) if m[0] != INFO]
    messages += [(INFO, camera_info(ns(0), d=(-5.0, 0, 0, 0, 0)), ns(0))]
    options = BagOptions(pose_frame='camera_optical', undistort=True)
    refused(tmp_path, messages, 'camera_info: .*is the calibration right', options)


@pytest.mark.parametrize('rectified', [None, False])
def test_rectified_images_have_no_distortion_any_more(tmp_path, rectified):
    messages = [
        ('/camera/image_rect/compressed', message, at)
        for topic, message, at in drive(n=3)
        if topic == IMAGE
    ]
    messages += [m for m in drive(n=3) if m[0] == '/pose']
    messages += [(INFO, camera_info(ns(0), d=(0.1, 0, 0, 0, 0)), ns(0))]
    options = BagOptions(pose_frame='camera_optical', rectified=rectified, selection=ALL)
    extract(tmp_path, messages, options)
    model = open_dataset(tmp_path / 'out').camera.distortion_model
    assert model == ('plumb_bob' if rectified is False else 'none')


def test_images_scaled_after_calibration_scale_the_camera(tmp_path):
    messages = [m for m in drive(n=3) if m[0] != INFO]
    messages += [(INFO, camera_info(ns(0), focal=100, width=2 * WIDTH, height=2 * HEIGHT), ns(0))]
    extraction = extract(tmp_path, messages)
    assert open_dataset(tmp_path / 'out').camera == Camera(
        WIDTH, HEIGHT, 50, 50, WIDTH / 2, HEIGHT / 2
    )
    assert 'the intrinsics are scaled' in str(extraction)


def test_of_several_cameras_the_info_beside_the_images_is_taken(tmp_path):
    messages = drive(n=2)
    messages += [('/depth/camera_info', camera_info(ns(0), focal=99), ns(0))]
    messages += [('/depth/image_raw', raw_image(ns(0), picture(0)[..., 0], '16UC1'), ns(0))]
    messages += [('/initialpose', pose_with_covariance(ns(0), true_pose(0)), ns(0))]
    topics = extract(tmp_path, messages).frames.choice.topics
    assert (topics.image, topics.camera_info, topics.pose) == (IMAGE, INFO, '/pose')
