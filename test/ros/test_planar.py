"""A robot on a floor: its poses stay there."""

import numpy as np
import pytest
from mapped_room import map_room
from robot import T_BASE_CAM, matrix
from tiny_environment import circle_of_poses

from posemap_ros.environment import Environment, write_environment
from posemap_ros.verification.calibration import Calibration


@pytest.fixture
def mapped(environment, tmp_path):
    """The lively environment with landmarks whose photos were taken by a robot on a floor."""
    loaded = Environment.load(environment)
    copy = write_environment(
        tmp_path / 'mapped',
        loaded.camera,
        loaded.load_aprnet(),
        loaded.load_nerf_p(),
        loaded.recipe,
        (1.0, 1.0),
        {},
    )
    landmarks = map_room(circle_of_poses(30)[::10])
    copy.add_landmarks(landmarks.to_bytes(), Calibration().to_dict())
    return copy.path


def test_poses_have_the_height_and_the_tilt_of_the_mapping_drive(
    start_node, robot, mapped, next_view
):
    # Their network is untrained, so without the floor the poses are anywhere.
    start_node(environment=mapped, planar=True, verification='off', tf_mode='none')
    robot.drive_until(lambda: len(robot.poses_with_covariance) > 5, 'poses', next_view)
    floor = circle_of_poses(1)[0] @ np.linalg.inv(T_BASE_CAM)
    for message in robot.poses_with_covariance:
        T = matrix(message.pose.pose)
        np.testing.assert_allclose(T[:3, 2], floor[:3, 2], atol=1e-6)
        assert T[2, 3] == pytest.approx(floor[2, 3], abs=1e-6)
        height = message.pose.covariance[14]
        assert height == pytest.approx(0.005**2)  # no floor is flatter
    places = [matrix(m.pose.pose)[:2, 3] for m in robot.poses_with_covariance]
    assert np.ptp(places, axis=0).max() > 0.01


def test_without_a_map_of_the_floor_it_says_what_is_missing(start_node, environment):
    node = start_node(ready=False, planar=True, environment=environment)
    assert node.wait_for_exit() == 1
    assert 'add them with map_landmarks, or set planar to false' in node.log


def test_a_camera_on_its_own_has_no_floor(start_node):
    node = start_node(ready=False, planar=True, tf_mode='map_to_camera')
    assert node.wait_for_exit() == 1
    assert 'planar is for the robot on which the camera is mounted' in node.log
