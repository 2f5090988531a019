import json
import struct
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
from recordings import (
    HEIGHT,
    START_NS,
    WIDTH,
    camera_info,
    compressed_image,
    drive,
    jpeg,
    ns,
    odometry,
    path_of,
    picture,
    pose,
    pose_stamped,
    pose_with_covariance,
    raw_image,
    rotation,
    transforms,
    true_pose,
    write_bag,
    write_parts,
    write_ros1_bag,
)

from posemap_ros.camera import Camera
from posemap_ros.dataset import open_dataset, open_images
from posemap_ros.dataset.transforms_json import read_mounts
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.extraction.bag import BagError
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.bag_summary import summarize_bag
from posemap_ros.extraction.frame_selection import FrameSelection
from posemap_ros.extraction.from_bag import extract_bag
from posemap_ros.messages.image_message import _PACKED

IMAGE, INFO = '/camera/image_raw/compressed', '/camera/camera_info'
ALL = FrameSelection(min_translation_m=0, min_rotation_deg=0)
OF_CAMERA = BagOptions(pose_frame='camera_optical', selection=ALL)

# A camera on a mast: looking forward and down, rolled a little, in two static steps.
BASE_TO_LINK = pose(rotation((0.1, 1, 0), 20), (0.2, -0.05, 0.9))
LINK_TO_OPTICAL = pose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), (0.01, 0.02, 0))


def static_tf():
    entries = (
        ('base_link', 'camera_link', BASE_TO_LINK),
        ('camera_link', 'camera_optical', LINK_TO_OPTICAL),
    )
    return ('/tf_static', transforms(START_NS, *entries), START_NS)


def images(seconds, **kwargs):
    """JPEG images and camera_info at these times."""
    for i, t in enumerate(seconds):
        yield IMAGE, compressed_image(ns(t), jpeg(picture(i)), **kwargs), ns(t)
        yield INFO, camera_info(ns(t)), ns(t)


def extract(tmp_path, messages, options=OF_CAMERA, storage='mcap', zstd=None, **kwargs):
    path = write_bag(tmp_path / 'drive', messages, storage, zstd)
    return extract_bag(path, tmp_path / 'out', options, **kwargs)


def refused(tmp_path, messages, word, options=OF_CAMERA):
    """Extraction stops with one sentence that has the word in it, and leaves nothing behind."""
    with pytest.raises(BagError, match=word) as caught:
        extract(tmp_path, messages, options)
    assert '\n' not in str(caught.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ['drive']


def assert_close(T, expected, metres=1e-3, degrees=0.05):
    assert translation_error_m(T, expected).max() < metres
    assert rotation_error_deg(T, expected).max() < degrees


# --- the straight way


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_images_camera_poses_and_stamps_arrive(tmp_path, storage):
    messages = drive(n=6)
    extraction = extract(tmp_path, messages, storage=storage)
    dataset = open_dataset(tmp_path / 'out')
    assert dataset.camera == Camera(WIDTH, HEIGHT, 50, 50, WIDTH / 2, HEIGHT / 2)
    assert [frame.stamp_ns for frame in dataset.frames] == [ns(i / 10) for i in range(6)]
    assert_close(dataset.poses, np.stack([true_pose(i / 10) for i in range(6)]), 1e-9, 1e-6)
    for i, frame in enumerate(dataset.frames):
        assert frame.name == f'images/{i:06d}'
        assert frame.path.read_bytes() == jpeg(picture(i))  # byte for byte
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['images', 'transforms.json']
    choice = extraction.frames.choice
    assert choice.topics.image == IMAGE and choice.topics.pose == '/pose'
    assert extraction.coverage.frames == len(choice.recording.image_stamps_ns) == 6
    source = json.loads((tmp_path / 'out' / 'transforms.json').read_text())
    assert source['bag'] == 'drive' and source['world_frame'] == 'map'


@pytest.mark.parametrize(
    'write',
    [
        partial(write_bag, storage='sqlite3', zstd='file'),
        partial(write_bag, storage='sqlite3', zstd='message'),
        partial(write_bag, storage='mcap', zstd='file'),
        partial(write_bag, storage='mcap'),
        lambda path, messages: write_parts(path, [messages[:99], messages[99:]], 'sqlite3'),
        lambda path, messages: write_ros1_bag(path.with_suffix('.bag'), messages, 'lz4'),
    ],
    ids=['sqlite3-zstd', 'sqlite3-zstd-messages', 'mcap-zstd', 'mcap', 'parts', 'ros1'],
)
def test_poses_of_the_base_and_a_tilted_camera_at_other_rates_and_times(tmp_path, write):
    """Odometry at 50 Hz, images at 10 Hz and 30 ms later; frame names with a leading slash."""
    times = 0.03 + np.arange(20) / 10
    messages = [*images(times, frame='/camera_optical'), static_tf()]
    odometry_times = 0.007 + np.arange(110) / 50  # so that no image has a pose of its own
    messages += [('/odom', odometry(ns(t), true_pose(t)), ns(t)) for t in odometry_times]
    messages.sort(key=lambda message: message[2])
    extract_bag(write(tmp_path / 'drive', messages), tmp_path / 'out', BagOptions(selection=ALL))
    dataset = open_dataset(tmp_path / 'out')
    assert [frame.stamp_ns for frame in dataset.frames] == [ns(t) for t in times]
    expected = np.stack([true_pose(t) @ BASE_TO_LINK @ LINK_TO_OPTICAL for t in times])
    assert_close(dataset.poses, expected)
    # The offset matters: a nearest-neighbour answer would not do.
    off = np.stack([true_pose(t - 0.01) @ BASE_TO_LINK @ LINK_TO_OPTICAL for t in times])
    assert translation_error_m(dataset.poses, off).min() > 2e-3


def test_where_nobody_needs_poses_there_are_images_and_their_camera(tmp_path):
    """From a bag without any, and from one whose poses are not looked at."""
    options = BagOptions(pose_source='none', selection=replace(ALL, min_image_motion=0.0))
    extraction = extract(tmp_path, drive(n=6, with_poses=False), options)
    found = open_images(tmp_path / 'out')
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['camera.yaml', 'images']
    assert not found.is_posed and found.camera == Camera(WIDTH, HEIGHT, 50, 50, 32, 24)
    assert found.frames[0].path.read_bytes() == jpeg(picture(0))
    assert extraction.coverage is None and 'no poses' in str(extraction)
    again = extract_bag(tmp_path / 'drive', tmp_path / 'again', options)
    assert len(again.frames.paths) == len(found)


def test_a_bag_without_poses_names_the_way_out(tmp_path):
    refused(tmp_path, drive(n=2, with_poses=False), 'extract_bag .*drive --out .* --poses sfm')


def test_the_test_of_the_mounts_shows_how_far_it_is(tmp_path):
    shown = []

    @contextmanager
    def progress(items, what, total):
        shown.append(what)
        yield items

    extract(tmp_path, [*drive(n=6), static_tf()], progress=progress)
    assert 'matching images' in shown


def test_the_frames_that_the_poses_may_be_of_are_kept_with_them(tmp_path):
    """Too little matches in ramps to say which it is."""
    extraction = extract(tmp_path, [*drive(n=6), static_tf()])
    mounts = read_mounts(tmp_path / 'out')
    assert mounts.used == 'camera_optical'
    assert list(mounts.T_frame_cam) == ['camera_optical', 'camera_link', 'base_link']
    assert_close(mounts.T_frame_cam['base_link'], BASE_TO_LINK @ LINK_TO_OPTICAL, 1e-9, 1e-6)
    assert 'not tested whether the poses are those of camera_optical' in str(extraction)


def test_poses_that_are_stamped_late_are_taken_later(tmp_path):
    times = 0.1 + np.arange(10) / 10
    pose_times = np.arange(80) / 50
    late = [('/pose', pose_stamped(ns(t + 0.2), true_pose(t)), ns(t + 0.2)) for t in pose_times]
    messages = sorted([*images(times), *late], key=lambda message: message[2])
    extract(tmp_path, messages, replace(OF_CAMERA, pose_delay_s=0.2))
    assert_close(open_dataset(tmp_path / 'out').poses, np.stack([true_pose(t) for t in times]))


def test_gaps_in_tf_are_refused(tmp_path):
    """map -> base_link is missing from 0.4 to 0.9 s: nobody knows where the robot was."""
    times = np.arange(12) / 10 + 0.05
    messages = [*images(times), static_tf()]
    for t in [*np.arange(5) / 10, *(0.9 + np.arange(5) / 10)]:
        messages.append(('/tf', transforms(ns(t), ('map', 'base_link', true_pose(t))), ns(t)))
    extraction = extract(tmp_path, messages, BagOptions(pose_source='tf', selection=ALL))
    stamps = [frame.stamp_ns for frame in open_dataset(tmp_path / 'out').frames]
    assert stamps == [ns(t) for t in times if t < 0.4 or t > 0.9]
    assert '5 without a pose near in time' in str(extraction)


def test_a_path_is_the_union_of_its_messages_and_the_last_one_counts(tmp_path):
    """A window of four poses that slides on; each pose is corrected once, by the next message."""
    times = np.arange(10) / 10

    def wrong(t):
        return true_pose(t) @ pose(np.eye(3), (0.5, 0, 0))

    messages = [*images(times[:-1])]
    for i in range(1, 10):
        window = [(ns(t), true_pose(t)) for t in times[max(0, i - 3) : i]]
        path = path_of(ns(times[i]), [*window, (ns(times[i]), wrong(times[i]))])
        messages.append(('/slam/path', path, ns(times[i])))
    messages.append(('/plan', path_of(ns(0), [(ns(0), np.eye(4))]), ns(0)))  # what is to come
    extraction = extract(tmp_path, messages)
    assert extraction.frames.choice.topics.pose == '/slam/path'
    expected = np.stack([true_pose(t) for t in times[:-1]])
    assert_close(open_dataset(tmp_path / 'out').poses, expected)


def test_poses_without_a_stamp(tmp_path):
    path = path_of(ns(0), [(0, true_pose(0))])
    refused(tmp_path, [*images([0.0]), ('/path', path, ns(0))], '/path: a pose has no stamp')


def test_poses_from_tf(tmp_path):
    """map -> odom at 5 Hz, odom -> base at 20 Hz, then the static camera."""
    times = 0.012 + np.arange(10) / 10

    def map_to_odom(t):
        return pose(rotation((0, 0, 1), 5 * t), (0.1 * t, 0, 0))

    def odom_to_base(t):
        return np.linalg.inv(map_to_odom(t)) @ true_pose(t)

    messages = [*images(times), static_tf()]
    for t in np.arange(8) / 5:
        messages.append(('/tf', transforms(ns(t), ('map', 'odom', map_to_odom(t))), ns(t)))
    for t in np.arange(32) / 20:
        messages.append(('/tf', transforms(ns(t), ('odom', 'base_link', odom_to_base(t))), ns(t)))
    extract(tmp_path, messages, BagOptions(pose_source='tf', selection=ALL))
    expected = np.stack([true_pose(t) @ BASE_TO_LINK @ LINK_TO_OPTICAL for t in times])
    assert_close(open_dataset(tmp_path / 'out').poses, expected)


@pytest.mark.parametrize('make', [pose_stamped, pose_with_covariance])
def test_poses_without_a_child_frame_must_say_whose_they_are(tmp_path, make):
    messages = [*images([0.0, 0.1]), static_tf()]
    messages += [('/slam', make(ns(t), true_pose(t)), ns(t)) for t in (0.0, 0.1)]
    refused(
        tmp_path,
        messages,
        '/slam does not say .*--pose-frame: camera_optical if .* or base_link or camera_link$',
        BagOptions(selection=ALL),
    )
    path = tmp_path / 'drive'
    extract_bag(path, tmp_path / 'base', BagOptions(pose_frame='/base_link', selection=ALL))
    extract_bag(path, tmp_path / 'camera', OF_CAMERA)
    true = np.stack([true_pose(0.0), true_pose(0.1)])
    assert_close(open_dataset(tmp_path / 'camera').poses, true)
    assert_close(open_dataset(tmp_path / 'base').poses, true @ BASE_TO_LINK @ LINK_TO_OPTICAL)


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


# --- poses from the images


def look_into_a_corner(T_world_cam, width=320, height=240, focal=260.0):
    """A picture of a wall (y = 4), a side wall (x = 2.5) and a floor (z = 0), all painted."""
    rng = np.random.default_rng(5)
    paint = np.zeros((1024, 1024), np.float32)
    for cells in (64, 256, 1024):  # coarse and fine, so that it has features near and far
        fine = rng.uniform(0, 255 / 3, (cells, cells)).astype(np.float32)
        paint += cv2.resize(fine, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    v, u = np.mgrid[:height, :width] + 0.5
    rays = np.stack([(u - width / 2) / focal, (v - height / 2) / focal, np.ones_like(u)], axis=-1)
    rays, origin = rays @ T_world_cam[:3, :3].T, T_world_cam[:3, 3]
    walls = ((1, 4.0), (0, 2.5), (2, 0.0))  # (axis, where)
    with np.errstate(divide='ignore'):
        t = np.stack([(where - origin[axis]) / rays[..., axis] for axis, where in walls])
    t[t <= 0] = np.inf
    hit = t.argmin(axis=0)
    points = origin + t.min(axis=0)[..., None] * rays
    image = np.zeros((height, width), np.float32)
    for index, (axis, _) in enumerate(walls):
        x, y = np.moveaxis(np.delete(points, axis, axis=-1), -1, 0) * 150 + 300 * index
        seen = cv2.remap(
            paint,
            x.astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        image[hit == index] = seen[hit == index]
    return np.repeat(image.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def corner_drive(n=12):
    """T_world_cam [n, 4, 4]: sideways past the corner, turning towards it, up and down."""
    level = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # z forward along y, y down
    for i in range(n):
        R = rotation((0, 0, 1), -10 - i) @ level @ rotation((1, 0, 0), -12)
        yield pose(R, (0.12 * i - 0.6, 0.05 * i, 1.2 + 0.1 * np.sin(i)))


def test_poses_found_from_the_images_are_metric_by_odometry(tmp_path):
    pytest.importorskip('pycolmap')
    poses = list(corner_drive())
    messages = []
    for i, T in enumerate(poses):
        stamp = ns(i / 10)
        content = cv2.imencode('.png', look_into_a_corner(T))[1].tobytes()
        info = camera_info(stamp, focal=260.0, width=320, height=240)
        messages += [(IMAGE, compressed_image(stamp, content), stamp), (INFO, info, stamp)]
        messages.append(('/odom', odometry(stamp, T, child='camera_optical'), stamp))
    options = BagOptions(pose_source='sfm', selection=FrameSelection(skip_blurred=False))
    extraction = extract(tmp_path, messages, options)
    dataset = open_dataset(tmp_path / 'out')
    assert len(dataset) >= 8 and 'poses from the images alone' in str(extraction)
    true = np.stack([poses[round((f.stamp_ns - START_NS) / 1e8)] for f in dataset.frames])
    assert_close(dataset.poses, true, metres=0.02, degrees=0.5)
    content = json.loads((tmp_path / 'out' / 'transforms.json').read_text())
    assert content['scale'] == 'metric'
    files = {path.name for path in (tmp_path / 'out' / 'images').iterdir()}
    assert files == {frame.path.name for frame in dataset.frames}


# --- what is left out


def test_still_frames_are_left_out_and_the_rest_is_counted(tmp_path):
    still = [*images(np.arange(10) / 10)]
    for i in range(10):
        T = pose(np.eye(3), (0.04 * i, 0, 0))
        still.append(('/pose', pose_stamped(ns(i / 10), T), ns(i / 10)))
    options = BagOptions(
        pose_frame='camera_optical',
        selection=FrameSelection(min_translation_m=0.1, skip_blurred=False),
    )
    extraction = extract(tmp_path, still, options)
    dataset = open_dataset(tmp_path / 'out')
    np.testing.assert_allclose(dataset.poses[:, 0, 3], [0, 0.12, 0.24, 0.36], atol=1e-9)
    assert 'left out: 6 too close' in str(extraction)


def noise(seed, shift=0, blur=0.0):
    """A textured picture that moves to the left by `shift` pixels, shaken by `blur` pixels."""
    texture = np.random.default_rng(seed).integers(0, 255, (120, 400), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.5)[:, shift : shift + 160]
    if blur:
        texture = cv2.blur(texture, (round(blur), 1))
    return np.repeat(texture[..., None], 3, axis=2)


def textured_drive(blurred, n=30, step=0.01, poses=True):
    """A drive along a textured wall; the pictures of these indices are blurred by motion."""
    for i in range(n):
        content = jpeg(noise(0, shift=3 * i, blur=9 if i in blurred else 0))
        stamp = ns(i / 10)
        yield IMAGE, compressed_image(stamp, content), stamp
        yield INFO, camera_info(stamp, width=160, height=120), stamp
        if poses:
            T = pose(np.eye(3), (step * i, 0, 0))
            yield '/pose', pose_stamped(stamp, T), stamp


def test_blurred_images_are_left_out(tmp_path):
    blurred = {4, 11, 12, 20}
    extraction = extract(tmp_path, textured_drive(blurred))
    stamps = [frame.stamp_ns for frame in open_dataset(tmp_path / 'out').frames]
    assert stamps == [ns(i / 10) for i in range(30) if i not in blurred]
    assert '4 blurred' in str(extraction)


def test_of_each_stretch_the_sharpest_is_kept(tmp_path):
    """Runs of three frames; only the last of each is sharp, as where a robot stops to look."""
    soft = {i for i in range(30) if i % 3 != 2}
    selection = FrameSelection(min_translation_m=0.0299)
    extract(
        tmp_path,
        textured_drive(soft),
        BagOptions(pose_frame='camera_optical', selection=selection),
    )
    stamps = [frame.stamp_ns for frame in open_dataset(tmp_path / 'out').frames]
    assert stamps == [ns(i / 10) for i in range(2, 30, 3)]


def test_blurred_images_can_be_kept(tmp_path):
    options = BagOptions(
        pose_frame='camera_optical', selection=FrameSelection(0, 0, skip_blurred=False)
    )
    extract(tmp_path, textured_drive({4, 11}), options)
    assert len(open_dataset(tmp_path / 'out')) == 30


def test_images_beyond_the_poses_and_in_gaps_are_left_out(tmp_path):
    messages = [*images([0.0, 0.15, 0.35, 0.9, 1.25, 1.5])]
    for t in (0.1, 0.2, 0.3, 0.4, 1.2, 1.3):
        messages.append(('/pose', pose_stamped(ns(t), true_pose(t)), ns(t)))
    extraction = extract(tmp_path, messages)
    stamps = [frame.stamp_ns for frame in open_dataset(tmp_path / 'out').frames]
    assert stamps == [ns(0.15), ns(0.35), ns(1.25)]
    assert '3 without a pose near in time' in str(extraction)


def test_damaged_images_are_left_out_and_counted(tmp_path):
    messages = drive(n=4)
    messages.append((IMAGE, compressed_image(ns(0.05), jpeg(picture(0))[:-99]), ns(0.05)))
    messages.append((IMAGE, compressed_image(ns(0.15), b''), ns(0.15)))
    extraction = extract(tmp_path, messages)
    assert len(open_dataset(tmp_path / 'out')) == 4
    assert '2 damaged' in str(extraction)


def test_invalid_poses_can_be_skipped(tmp_path):
    messages = drive(n=6)
    messages.append(('/pose', pose_stamped(ns(0.05), np.full((4, 4), np.nan)), ns(0.05)))
    options = BagOptions(pose_frame='camera_optical', skip_invalid_poses=True, selection=ALL)
    assert '1 invalid poses skipped' in str(extract(tmp_path, messages, options))


# --- what is refused


def test_ambiguous_topics_are_listed(tmp_path):
    messages = [*drive(n=2), ('/other', pose_stamped(ns(0), true_pose(0)), ns(0))]
    word = '2 pose topics, choose one with --pose-topic: /other, /pose; --list'
    refused(tmp_path, messages, word)


@pytest.mark.parametrize(
    ('topic', 'options', 'word'),
    [
        ('/pose', {'pose_topic': '/slam'}, r'no topic /slam; there are /camera/camera_info \(Cam'),
        ('/pose', {'pose_topic': INFO}, 'CameraInfo, PoseStamped or .* is needed'),
        (IMAGE, {}, 'no image topic; there are .*--image-topic'),
        (INFO, {}, 'no camera_info topic; there are'),
        ('/pose', {}, 'no pose topic; there are .*--pose-source tf'),
    ],
)
def test_missing_topics_are_named_and_the_others_listed(tmp_path, topic, options, word):
    removed = [] if options else [topic]
    messages = [message for message in drive(n=2) if message[0] not in removed]
    refused(tmp_path, messages, word, BagOptions(pose_frame='camera_optical', **options))


def test_no_overlap_in_time(tmp_path):
    messages = [*images([0.0, 0.1])]
    messages += [('/pose', pose_stamped(ns(t), true_pose(0)), ns(0)) for t in (3600.0, 3600.1)]
    refused(tmp_path, messages, 'do not overlap in time: images are stamped .*clocks')


def test_poses_too_far_apart(tmp_path):
    messages = [*images([0.1, 0.2])]
    messages += [('/pose', pose_stamped(ns(t), true_pose(0)), ns(0)) for t in (0.0, 1.0)]
    refused(tmp_path, messages, 'none of 2 images .*at most 0.25 s apart; --max-gap')


def test_nan_pose(tmp_path):
    messages = [*drive(n=3), ('/pose', pose_stamped(ns(1), np.full((4, 4), np.nan)), ns(1))]
    refused(tmp_path, messages, '/pose: pose 3 .*NaN.*--skip-invalid-poses')


def test_wrong_rotation(tmp_path):
    bad = pose_stamped(ns(1), true_pose(0))
    bad.pose.orientation.w += 1.0
    refused(tmp_path, [*drive(n=3), ('/pose', bad, ns(1))], '/pose: pose 3 .*quaternion .*length')


def test_poses_of_a_frame_that_tf_does_not_connect(tmp_path):
    options = BagOptions(pose_frame='base_link', selection=ALL)
    refused(tmp_path, drive(n=2), 'TF does not connect base_link and camera_optical', options)
    options = BagOptions(pose_source='tf', map_frame='earth')
    path = tmp_path / 'drive'
    with pytest.raises(BagError, match='earth and camera_optical.*frames in TF: none'):
        extract_bag(path, tmp_path / 'out', options)


def test_poses_that_change_their_frame(tmp_path):
    messages = [*drive(n=2), ('/pose', pose_stamped(ns(1), true_pose(0), 'odom'), ns(1))]
    refused(tmp_path, messages, "from frame 'map' to 'odom'")


def test_a_camera_that_zooms(tmp_path):
    messages = [*drive(n=2), (INFO, camera_info(ns(1), focal=60), ns(1))]
    refused(tmp_path, messages, 'changes during the recording')


def test_an_uncalibrated_camera(tmp_path):
    messages = [m for m in drive(n=2) if m[0] != INFO] + [
        (INFO, camera_info(ns(0), focal=0), ns(0))
    ]
    refused(tmp_path, messages, '/camera/camera_info: the camera is not calibrated')


def test_images_of_another_shape_than_the_camera(tmp_path):
    messages = [m for m in drive(n=2) if m[0] != INFO]
    messages += [(INFO, camera_info(ns(0), width=100, height=48), ns(0))]
    refused(
        tmp_path, messages, 'images are 64x48, but /camera/camera_info is of a camera of 100x48'
    )


def test_images_that_change_size(tmp_path):
    odd = compressed_image(ns(0.15), jpeg(picture(0, width=80)))
    refused(tmp_path, [*drive(n=4), (IMAGE, odd, ns(0.15))], 'from 64x48 to 80x48')


def test_depth_images(tmp_path):
    messages = [m for m in drive(n=2) if m[0] != IMAGE]
    messages += [('/camera/points', raw_image(ns(0), picture(0)[..., 0], '32FC1'), ns(0))]
    refused(tmp_path, messages, '/camera/points: the image has encoding 32FC1.*depth')


def test_images_without_stamp_or_frame(tmp_path):
    unstamped = compressed_image(0, jpeg(picture(0)))
    refused(tmp_path, [*drive(n=2), (IMAGE, unstamped, ns(0))], 'no stamp')


def test_images_without_a_frame(tmp_path):
    messages = [*images([0.0], frame=''), ('/pose', pose_stamped(ns(0), true_pose(0)), ns(0))]
    refused(tmp_path, messages, 'no frame_id; name it with --camera-frame')


def test_a_bomb_among_the_images_is_not_decoded(tmp_path):
    bomb = bytearray(jpeg(picture(0)))
    start = bomb.index(b'\xff\xc0')
    bomb[start + 5 : start + 9] = struct.pack('>HH', 60_000, 60_000)
    messages = [*drive(n=4), (IMAGE, compressed_image(ns(0.15), bytes(bomb)), ns(0.15))]
    assert '1 damaged' in str(extract(tmp_path, messages))


@pytest.mark.parametrize('skip_blurred', [True, False])
def test_a_bomb_in_a_compressed_mosaic(tmp_path, skip_blurred):
    content = bytearray(cv2.imencode('.png', np.zeros((HEIGHT, WIDTH), np.uint8))[1].tobytes())
    content[16:24] = struct.pack('>II', 60_000, 60_000)
    kind = 'bayer_rggb8; png compressed bayer_rggb8'
    bomb = compressed_image(ns(0.15), bytes(content), format=kind)
    options = BagOptions(
        pose_frame='camera_optical', selection=FrameSelection(0, 0, skip_blurred=skip_blurred)
    )
    extraction = extract(tmp_path, [*drive(n=4), (IMAGE, bomb, ns(0.15))], options)
    assert '1 damaged' in str(extraction) and '60000x60000 pixels is refused' in str(extraction)


def test_a_raw_image_that_claims_to_be_huge(tmp_path):
    huge = raw_image(ns(0), picture(0))
    huge.width = huge.height = 60_000
    huge.step = 180_000
    messages = [m for m in drive(n=2) if m[0] != IMAGE] + [('/camera/image_raw', huge, ns(0))]
    refused(tmp_path, messages, '/camera/image_raw: the image is cut short: 60000x60000')


def test_all_images_damaged(tmp_path):
    messages = [m for m in drive(n=2) if m[0] != IMAGE]
    messages += [(IMAGE, compressed_image(ns(0), b'GIF89a'), ns(0))]
    refused(tmp_path, messages, 'all images are damaged; for example .*not a JPEG')


@pytest.mark.parametrize(
    'write',
    [
        write_bag,
        partial(write_bag, storage='sqlite3', zstd='message'),
        partial(write_bag, zstd='file'),
        lambda path, messages: write_ros1_bag(path.with_suffix('.bag'), messages),
    ],
    ids=['mcap', 'sqlite3-zstd-messages', 'mcap-zstd', 'ros1'],
)
def test_flipped_bytes_are_refused_in_words_or_do_no_harm(tmp_path, write):
    bag = write(tmp_path / 'drive', drive(n=5))
    file = bag if bag.is_file() else next(f for f in bag.iterdir() if f.suffix != '.yaml')
    content, rng, refusals = file.read_bytes(), np.random.default_rng(0), 0
    for _ in range(25):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), rng.choice([1, 3, 20])):
            damaged[place] = rng.integers(0, 256)
        file.write_bytes(damaged)
        try:
            summarize_bag(bag)
            extract_bag(bag, tmp_path / 'out', OF_CAMERA, overwrite=True)
        except BagError:
            refusals += 1
    assert 0 < refusals
    assert not (tmp_path / 'out.partial').exists()
