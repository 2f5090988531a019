"""The demo's player and viewer: stamps moved to now, in time; one fix for each image."""

import time

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from geometry_msgs.msg import PoseStamped  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rclpy.time import Time  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from tf2_msgs.msg import TFMessage  # noqa: E402

from demo.play_bag import play, wait_for_listeners  # noqa: E402
from demo.stamps import stamp_ns  # noqa: E402
from demo.viewer import Viewer  # noqa: E402
from posemap_ros.node.messages import pose_stamped, transform_stamped  # noqa: E402

MS = 1_000_000
T_BASE_CAM = np.array([[0, 0, 1, 0.2], [-1, 0, 0, 0], [0, -1, 0, 0.5], [0, 0, 0, 1.0]])


def at(x: float) -> np.ndarray:
    T = np.eye(4)
    T[0, 3] = x
    return T


@pytest.fixture(scope='module')
def middleware():
    """ROS in this process, where other tests have not begun with it."""
    ours = not rclpy.ok()
    if ours:
        rclpy.init()
    yield
    if ours:
        rclpy.shutdown()


class Recorder:
    """Stands in for a publisher: what it was given, and when."""

    def __init__(self):
        self.published = []

    def publish(self, message):
        self.published.append((time.time_ns(), message))


def test_stamps_are_moved_by_one_shift_and_nothing_is_early():
    recorded = [1000 * MS, 1030 * MS, 1060 * MS]
    entries = [
        (r, '/pose', pose_stamped(at(0), 'map', Time(nanoseconds=r - 15 * MS).to_msg()))
        for r in recorded
    ]
    recorder = Recorder()
    began = time.time_ns()
    play(entries, {'/pose': recorder})
    stamps = [stamp_ns(message) for _, message in recorder.published]
    assert list(np.diff(stamps)) == [30 * MS, 30 * MS]
    assert began - 15 * MS <= stamps[0] <= time.time_ns()
    for published, stamp in zip([when for when, _ in recorder.published], stamps):
        assert published >= stamp + 15 * MS


def test_the_first_pose_of_each_image_counts(middleware):
    viewer, robot = Viewer(), rclpy.create_node('robot_of_the_viewer')
    executor = SingleThreadedExecutor()
    executor.add_node(viewer)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publishers = [
        robot.create_publisher(TFMessage, '/tf_static', latched),
        robot.create_publisher(PoseStamped, '/ground_truth/pose', 10),
        robot.create_publisher(PoseStamped, '/posemap/pose', 10),
        robot.create_publisher(String, '/posemap/state', latched),
    ]
    static, truth, pose, state = publishers
    stamps = [Time(nanoseconds=k * 100 * MS).to_msg() for k in (10, 11)]
    wait_for_listeners(publishers)
    viewer.start_play()
    static.publish(
        TFMessage(
            transforms=[transform_stamped(T_BASE_CAM, 'base_link', 'camera_optical', stamps[0])]
        )
    )
    state.publish(String(data='localized'))
    for x, stamp in enumerate(stamps):
        truth.publish(pose_stamped(at(x) @ T_BASE_CAM, 'map', stamp))
    pose.publish(pose_stamped(at(0.3), 'map', stamps[0]))
    pose.publish(pose_stamped(at(0.01), 'map', stamps[0]))  # verified later
    pose.publish(pose_stamped(at(1.1), 'map', stamps[1]))
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up and (len(viewer.play.fixes) < 2 or not viewer.play.states):
        executor.spin_once(timeout_sec=0.1)
    assert [fix.translation_m for fix in viewer.play.fixes] == pytest.approx([0.3, 0.1])
    assert [said for _, said in viewer.play.states] == ['localized']
    assert list(viewer.play.sent) == [stamp.sec * 10**9 + stamp.nanosec for stamp in stamps]
    executor.shutdown()
    for node in (viewer, robot):
        node.destroy_node()
