import cv2
import numpy as np
import pytest
from recordings import (
    START_NS,
    camera_info,
    compressed_image,
    jpeg,
    ns,
    odometry,
    pose,
    rotation,
    transforms,
    write_bag,
)

from posemap_ros.extraction.bag import Bag, BagError
from posemap_ros.extraction.bag_frames import choose_frames, write_frames
from posemap_ros.extraction.bag_recording import BagOptions
from posemap_ros.extraction.frame_selection import FrameSelection

WIDTH, HEIGHT = 320, 240
MOUNT = pose(rotation((0, 1, 0), 30), (0.2, 0, 0.5))


def robot_pose(t):
    return pose(rotation((0, 0, 1), 10 * t), (0.3 * t, 0, 0))


def recording(n=24, step=4, odom=True, tf=True, stop=()):
    """Pictures of a wall that pass by at 4 px a frame, but at these indices; odometry beside."""
    texture = np.random.default_rng(0).integers(0, 255, (HEIGHT, 1000), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 2.5)
    x = 0
    if tf:
        yield '/tf_static', transforms(START_NS, ('base_link', 'camera', MOUNT)), START_NS
    for i in range(n):
        x += 0 if i in stop or i == 0 else step
        content = jpeg(np.repeat(texture[:, x : x + WIDTH, None], 3, axis=2))
        yield '/image', compressed_image(ns(i / 10), content, frame='camera'), ns(i / 10)
        yield '/camera_info', camera_info(ns(i / 10), width=WIDTH, height=HEIGHT), ns(i / 10)
    if odom:
        for t in 0.203 + np.arange(55) / 50:
            yield '/odom', odometry(ns(t), robot_pose(t)), ns(t)


def options(**kwargs):
    selection = FrameSelection(min_image_motion=0.045, skip_blurred=False)
    return BagOptions(pose_source='sfm', selection=selection, **kwargs)


def extract(path, folder, options):
    folder.mkdir()
    with Bag(path) as bag:
        choice = choose_frames(bag, options)
        return write_frames(bag, choice, folder, options)


def test_without_poses_frames_are_chosen_by_how_the_picture_moves(tmp_path):
    """14.4 px are needed: every fourth frame; where the robot stands still, none."""
    bag = write_bag(tmp_path / 'drive', recording(odom=False, stop=range(9, 17)))
    frames = extract(bag, tmp_path / 'out', options())
    assert frames.stamps_ns == tuple(ns(i / 10) for i in (0, 4, 8, 20))
    assert [path.name for path in frames.paths] == [f'{i:06d}.jpg' for i in range(4)]
    assert all(path.is_file() for path in frames.paths)
    assert (frames.camera.width, frames.camera.height) == (WIDTH, HEIGHT)
    assert frames.poses == [None] * 4
    assert frames.choice.unmoved == 20


def test_odometry_gives_metric_poses_of_the_camera_where_there_is_some(tmp_path):
    frames = extract(write_bag(tmp_path / 'drive', recording()), tmp_path / 'out', options())
    assert [T is not None for T in frames.poses] == [False, True, True, True, False, False]
    for stamp, T in zip(frames.stamps_ns[1:4], frames.poses[1:4]):
        expected = robot_pose((stamp - START_NS) / 1e9) @ MOUNT
        np.testing.assert_allclose(T, expected, atol=1e-4)
    assert frames.notes == ()


def test_without_tf_the_poses_of_the_robot_must_do_for_the_scale(tmp_path):
    bag = write_bag(tmp_path / 'drive', recording(tf=False))
    frames = extract(bag, tmp_path / 'out', options())
    T, stamp = frames.poses[1], frames.stamps_ns[1]
    np.testing.assert_allclose(T, robot_pose((stamp - START_NS) / 1e9), atol=1e-4)
    (note,) = frames.notes
    assert '/odom is taken for the poses of the camera' in note and 'base_link and camera' in note


def test_two_pose_topics_are_no_reason_to_stop(tmp_path):
    messages = [*recording(), ('/other', odometry(ns(0), np.eye(4)), ns(0))]
    bag = write_bag(tmp_path / 'drive', messages)
    assert extract(bag, tmp_path / 'none', options()).poses == [None] * 6
    frames = extract(bag, tmp_path / 'odom', options(pose_topic='/odom'))
    assert sum(T is not None for T in frames.poses) == 3


def test_every_image_damaged(tmp_path):
    messages = [message for message in recording() if message[0] != '/image']
    messages.append(('/image', compressed_image(ns(0), b'\xff\xd8 no'), ns(0)))
    with Bag(write_bag(tmp_path / 'drive', messages)) as bag:
        with pytest.raises(BagError, match='all images are damaged'):
            choose_frames(bag, options())
