"""~/state: whether the robot knows where it is, for everyone to see."""

import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot import wait_until
from std_msgs.msg import String
from tiny_environment import CAMERA

# Sharp enough for any camera.
TILES = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
SHARP = TILES.repeat(4, axis=0).repeat(4, axis=1)
BLACK = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)


@pytest.fixture
def states(robot):
    """What ~/state said, one after the other."""
    said: list[str] = []
    latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    robot.node.create_subscription(
        String, 'posemap/state', lambda message: said.append(message.data), latched
    )
    return said


def test_a_covered_camera_is_lost_and_found_again(start_node, robot, states):
    node = start_node(tf_mode='none', check_image=True, lost_after=0.5)

    def drive_until(state: str, image: np.ndarray) -> None:
        robot.drive_until(lambda: states and states[-1] == state, state, lambda: image)

    drive_until('localized', SHARP)
    drive_until('lost', BLACK)
    assert 'The image is dark' in node.log
    poses = len(robot.poses)
    robot.drive(BLACK)
    wait_until(
        lambda: (
            'localization' in robot.diagnostics
            and robot.diagnostics['localization'].message.startswith('Not localized!')
        ),
        'diagnostics',
    )
    assert len(robot.poses) == poses
    # The last word is not that it knows to a centimetre where it is.
    assert robot.poses_with_covariance[-1].pose.covariance[0] == 9999.0
    drive_until('localized', SHARP)
    # None is skipped, none is said twice.
    known = ['localized', 'uncertain', 'lost', 'localized']
    assert states[-4:] == known or states[-3:] == known[1:]


def test_after_a_gap_it_is_lost_until_a_pose_is_believed(start_node, robot, states):
    start_node(tf_mode='none', fix_timeout=0.5)
    robot.drive_until(lambda: 'localized' in states, 'a pose', lambda: SHARP)
    wait_until(lambda: states[-1] == 'lost', 'the end of the last pose')
    lost = len(states)
    robot.set_parameter('max_sigma_translation', 0.001)
    rejected = len(robot.poses_with_covariance)
    robot.drive_until(
        lambda: len(robot.poses_with_covariance) > rejected + 3, 'poses', lambda: SHARP
    )
    assert 'localized' not in states[lost:]
    robot.set_parameter('max_sigma_translation', 1000.0)
    robot.drive_until(lambda: states[-1] == 'localized', 'a pose', lambda: SHARP)
