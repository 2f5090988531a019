"""From a bag to a dataset: images, their camera, and whose poses."""

import json
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
from extracting import (
    ALL,
    BASE_TO_LINK,
    IMAGE,
    INFO,
    LINK_TO_OPTICAL,
    OF_CAMERA,
    assert_close,
    extract,
    images,
    refused,
    static_tf,
)
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
from posemap_ros.evaluation.errors import translation_error_m
from posemap_ros.extraction import from_bag
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.frame_selection import FrameSelection
from posemap_ros.extraction.from_bag import extract_bag


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


def corner_messages(poses):
    """Images into a corner and odometry of the camera, ten a second."""
    messages = []
    for i, T in enumerate(poses):
        stamp = ns(i / 10)
        content = cv2.imencode('.png', look_into_a_corner(T))[1].tobytes()
        info = camera_info(stamp, focal=260.0, width=320, height=240)
        messages += [(IMAGE, compressed_image(stamp, content), stamp), (INFO, info, stamp)]
        messages.append(('/odom', odometry(stamp, T, child='camera_optical'), stamp))
    return messages


SFM = BagOptions(pose_source='sfm', selection=FrameSelection(skip_blurred=False))


def test_poses_found_from_the_images_are_metric_by_odometry(tmp_path):
    pytest.importorskip('pycolmap')
    poses = list(corner_drive())
    extraction = extract(tmp_path, corner_messages(poses), SFM)
    dataset = open_dataset(tmp_path / 'out')
    assert len(dataset) >= 8 and 'poses from the images alone' in str(extraction)
    true = np.stack([poses[round((f.stamp_ns - START_NS) / 1e8)] for f in dataset.frames])
    assert_close(dataset.poses, true, metres=0.02, degrees=0.5)
    content = json.loads((tmp_path / 'out' / 'transforms.json').read_text())
    assert content['scale'] == 'metric'
    files = {path.name for path in (tmp_path / 'out' / 'images').iterdir()}
    assert files == {frame.path.name for frame in dataset.frames}


def test_a_long_recording_is_thinned_before_poses_are_found(tmp_path, monkeypatch):
    pytest.importorskip('pycolmap')
    monkeypatch.setattr(from_bag, 'MOST_IMAGES', 7)
    extraction = extract(tmp_path, corner_messages(list(corner_drive())), SFM)
    assert len(extraction.frames.paths) == 7
    assert 'was given 7 frames at most, spread evenly' in str(extraction)
    asked = replace(SFM, selection=replace(SFM.selection, max_frames=8))
    (tmp_path / 'asked').mkdir()
    extraction = extract(tmp_path / 'asked', corner_messages(list(corner_drive())), asked)
    assert len(extraction.frames.paths) == 8 and 'at most' not in str(extraction)
