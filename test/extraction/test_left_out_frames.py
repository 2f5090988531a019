"""What extraction leaves out of a dataset, and says so."""

import cv2
import numpy as np
from extracting import ALL, IMAGE, INFO, extract, images
from recordings import (
    camera_info,
    compressed_image,
    drive,
    jpeg,
    ns,
    picture,
    pose,
    pose_stamped,
    true_pose,
)

from posemap_ros.dataset import open_dataset
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.frame_selection import FrameSelection


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
