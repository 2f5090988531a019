"""seed_amcl between the node and what amcl listens to."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot import PATIENCE_SECONDS, wait_until

from posemap_ros.node.messages import LOST_COVARIANCE, pose_with_covariance


@pytest.fixture
def seeder():
    process = subprocess.Popen([sys.executable, '-m', 'posemap_ros.node.seed_amcl'])
    yield process
    process.kill()


def test_the_first_sure_pose_is_told_to_amcl(seeder, robot):
    publisher = robot.node.create_publisher(
        PoseWithCovarianceStamped, 'posemap/pose_with_covariance', 1
    )
    told: list[PoseWithCovarianceStamped] = []
    robot.node.create_subscription(PoseWithCovarianceStamped, 'initialpose', told.append, 10)

    def say(covariance: np.ndarray, x: float) -> bool:
        T = np.eye(4)
        T[0, 3] = x
        publisher.publish(pose_with_covariance(T, covariance, 'map', robot.now().to_msg()))
        return bool(told)

    wait_until(lambda: publisher.get_subscription_count(), 'seed_amcl')
    for _ in range(20):
        robot.wait_for(lambda: True, '')
        say(1e-4 * np.eye(6), 1.0)  # amcl is not there
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # as amcl's is
    amcl = robot.node.create_publisher(PoseWithCovarianceStamped, 'amcl_pose', latched)
    wait_until(lambda: amcl.get_subscription_count(), 'seed_amcl')
    for _ in range(20):
        say(LOST_COVARIANCE, 2.0)
    robot.wait_for(lambda: say(1e-4 * np.eye(6), 3.0), 'initialpose')
    assert [message.pose.pose.position.x for message in told] == [3.0]
    assert told[0].header.frame_id == 'map'
    seeder.send_signal(signal.SIGINT)
    assert seeder.wait(PATIENCE_SECONDS) == 0
