"""~/map_points and ~/mapped_path: the place, for whoever comes, and however late."""

import shutil

import numpy as np
import pytest
from conftest import running_nodes
from nav_msgs.msg import Path
from rclpy.qos import DurabilityPolicy, QoSProfile
from robot import matrix, wait_until
from sensor_msgs.msg import PointCloud2
from tiny_environment import tiny_landmarks

from posemap_ros.environment import Environment

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope='module')
def mapped_environment(tmp_path_factory, environment):
    """An environment with landmarks."""
    folder = tmp_path_factory.mktemp('mapped') / 'environment'
    shutil.copytree(environment, folder)
    Environment.load(folder).add_landmarks(tiny_landmarks().to_bytes(), {})
    return folder


@pytest.fixture(scope='module')
def node(tmp_path_factory, mapped_environment):
    with running_nodes(tmp_path_factory.mktemp('node'), mapped_environment) as start:
        yield start(map_frame='hall', verification='off')


def hear(robot, kind, topic):
    """The first message on a latched topic."""
    heard = []
    subscription = robot.node.create_subscription(kind, topic, heard.append, LATCHED)
    wait_until(lambda: heard, topic)
    robot.node.destroy_subscription(subscription)
    return heard[0]


def test_points_come_with_their_deviation_in_the_maps_frame(node, robot):
    cloud = hear(robot, PointCloud2, 'posemap/map_points')
    landmarks = tiny_landmarks()
    assert cloud.header.frame_id == 'hall'
    assert [field.name for field in cloud.fields] == ['x', 'y', 'z', 'sigma']
    assert (cloud.height, cloud.width) == (1, len(landmarks))
    assert len(cloud.data) == cloud.row_step == cloud.width * cloud.point_step
    values = np.frombuffer(cloud.data, '<f4').reshape(-1, 4)
    np.testing.assert_array_equal(values[:, :3], landmarks.points)
    np.testing.assert_array_equal(values[:, 3], landmarks.sigmas)


def test_the_mapped_path_is_that_of_the_camera(node, robot):
    path = hear(robot, Path, 'posemap/mapped_path')
    assert path.header.frame_id == path.poses[0].header.frame_id == 'hall'
    poses = np.stack([matrix(pose.pose) for pose in path.poses])
    np.testing.assert_allclose(poses, tiny_landmarks().T_world_cam, atol=1e-6)


def test_without_landmarks_there_is_nothing_and_no_harm(start_node, robot):
    node = start_node()
    heard = []
    robot.node.create_subscription(PointCloud2, 'posemap/map_points', heard.append, LATCHED)
    wait_until(lambda: 'localization' in robot.diagnostics, 'diagnostics')
    assert not heard
    assert node.stop() == 0
    assert 'Traceback' not in node.log
