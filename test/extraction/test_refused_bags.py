"""What extraction refuses, in one sentence, leaving nothing behind."""

import struct
from functools import partial

import cv2
import numpy as np
import pytest
from extracting import ALL, IMAGE, INFO, OF_CAMERA, extract, images, refused
from recordings import (
    HEIGHT,
    WIDTH,
    camera_info,
    compressed_image,
    drive,
    jpeg,
    ns,
    picture,
    pose_stamped,
    raw_image,
    true_pose,
    write_bag,
    write_ros1_bag,
)

from posemap_ros.extraction.bag import BagError
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.bag_summary import summarize_bag
from posemap_ros.extraction.frame_selection import FrameSelection
from posemap_ros.extraction.from_bag import extract_bag


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
