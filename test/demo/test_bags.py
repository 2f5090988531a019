"""The shipped bags: whole, in step, and one consistent robot."""

from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest

from demo.camera import FOCAL_PX, HEIGHT, WIDTH
from demo.drives import LATER, MAPPING, camera_poses, frame_steps, odometry, planar, true_motion

rosbags = pytest.importorskip('rosbags.highlevel')

BAGS = Path(__file__).parents[2] / 'demo' / 'bags'
DRIVES = {'mapping': MAPPING, 'later': LATER}
IMAGES, INFO, TRUTH = '/camera/image_raw/compressed', '/camera/camera_info', '/ground_truth/pose'


def nanoseconds(header):
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def matrix(position, q):
    """4x4 from a translation and a quaternion message."""
    x, y, z, w = q.x, q.y, q.z, q.w
    assert x * x + y * y + z * z + w * w == pytest.approx(1)
    T = np.eye(4)
    T[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, 3] = position.x, position.y, position.z
    return T


def matrix_of(transform):
    return matrix(transform.transform.translation, transform.transform.rotation)


@pytest.fixture(scope='module', params=DRIVES)
def bag(request):
    """The drive, and the messages of each topic with the time of their recording."""
    topics = defaultdict(list)
    with rosbags.AnyReader([BAGS / request.param]) as reader:
        for connection, recorded, data in reader.messages():
            message = reader.deserialize(data, connection.msgtype)
            topics[connection.topic].append((recorded, message))
    return DRIVES[request.param], topics


def test_every_image_has_its_camera_info_and_truth(bag):
    drive, topics = bag
    stamps = {
        topic: [nanoseconds(m.header) for _, m in topics[topic]] for topic in (IMAGES, INFO, TRUTH)
    }
    assert stamps[IMAGES] == stamps[INFO] == stamps[TRUTH]
    assert len(stamps[IMAGES]) == drive.frames
    gaps = np.diff(stamps[IMAGES]) * 1e-9
    assert gaps.min() > 0 and abs(gaps - 1 / drive.rate_hz).max() <= 0.01 + 1e-9
    assert all(recorded >= nanoseconds(m.header) for recorded, m in topics[IMAGES])


def test_images_decode_at_the_size_of_camera_info(bag):
    _, topics = bag
    for _, message in topics[IMAGES][::50]:
        assert message.header.frame_id == 'camera_optical' and message.format == 'jpeg'
        image = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
        assert image.shape == (HEIGHT, WIDTH, 3)
        assert 20 < image.mean() < 200
    info = topics[INFO][0][1]
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert np.allclose(
        info.k, [FOCAL_PX, 0, WIDTH / 2 - 0.5, 0, FOCAL_PX, HEIGHT / 2 - 0.5, 0, 0, 1]
    )
    assert np.allclose(info.p.reshape(3, 4)[:, :3].ravel(), info.k) and not info.d.any()


def test_odometry_is_frequent_and_surrounds_every_image(bag):
    _, topics = bag
    stamps = [nanoseconds(m.transforms[0].header) for _, m in topics['/tf']]
    assert np.diff(stamps).max() <= 0.05 * 1e9
    images = [nanoseconds(m.header) for _, m in topics[IMAGES]]
    assert stamps[0] <= images[0] and stamps[-1] >= images[-1]


def test_truth_is_the_drive_seen_through_the_static_transforms(bag):
    """map -> base_link -> camera_link -> camera_optical gives the poses on the truth's topic."""
    drive, topics = bag
    static = {t.child_frame_id: t for _, m in topics['/tf_static'] for t in m.transforms}
    assert static['camera_link'].header.frame_id == 'base_link'
    assert static['camera_optical'].header.frame_id == 'camera_link'
    T_base_optical = matrix_of(static['camera_link']) @ matrix_of(static['camera_optical'])
    motion = true_motion(drive)[frame_steps(drive)]
    for (_, message), (_, x, y, heading, _, _), expected in zip(
        topics[TRUTH], motion, camera_poses(drive)
    ):
        assert message.header.frame_id == 'map'
        T_map_optical = matrix(message.pose.position, message.pose.orientation)
        assert np.allclose(T_map_optical, planar(x, y, heading) @ T_base_optical)
        assert np.allclose(T_map_optical, expected)


def test_odometry_follows_the_truth_over_a_second(bag):
    """TF is what the drive's odometry says, and locally agrees with the true motion."""
    drive, topics = bag
    motion = true_motion(drive)
    expected = odometry(motion, drive.seed)
    poses, steps = [], []
    for _, message in topics['/tf']:
        (transform,) = message.transforms
        assert transform.header.frame_id == 'odom' and transform.child_frame_id == 'base_link'
        poses.append(matrix_of(transform))
        steps.append((nanoseconds(transform.header) - drive.start_ns) // 10_000_000)
    for pose, step in zip(poses[::40], steps[::40]):
        assert np.allclose(pose, planar(*expected[step]))
    errors = []
    for k in range(0, len(poses) - 34, 34):
        moved = np.linalg.inv(poses[k]) @ poses[k + 34]
        a, b = (planar(*motion[steps[i]][1:4]) for i in (k, k + 34))
        errors.append(np.linalg.norm((np.linalg.inv(a) @ b - moved)[:3, 3]))
    assert np.median(errors) < 0.03


def test_the_bags_are_small():
    size = sum(file.stat().st_size for file in BAGS.rglob('*') if file.is_file())
    assert size < 18e6
