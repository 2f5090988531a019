"""Images in, poses and transforms out: a robot with odometry, in the default mode."""

import time

import numpy as np
import pytest
from conftest import running_nodes
from rclpy.time import Time
from robot import T_BASE_CAM, Robot, matrix, nanoseconds, wait_until
from tiny_environment import CAMERA

from posemap_ros.node import messages

T_ODOM_BASE = np.array([[0, -1, 0, 4.0], [1, 0, 0, 2.0], [0, 0, 1, 0.0], [0, 0, 0, 1.0]])


@pytest.fixture(scope='module')
def node(tmp_path_factory, environment):
    """One node for all: starting one takes seconds."""
    with running_nodes(tmp_path_factory.mktemp('node'), environment) as start:
        yield start(
            transform_tolerance=0.3,
            transform_wait=0.5,
            path_length=3,
            path_spacing=0.0,
            posemap_rate=10.0,
        )


def close(actual: np.ndarray, expected: np.ndarray) -> bool:
    # The two processes may add in another order: a millimetre at most.
    return np.allclose(actual, expected, atol=1e-3)


def test_without_odometry_poses_go_on_and_the_log_says_what_is_missing(node, robot, views):
    # First in this file: the node remembers odometry once it has seen some.
    robot.drive_until(lambda: len(robot.poses) > 2, 'poses', lambda: views[0])
    node.wait_for_log('odometry is missing on TF')
    assert not robot.transforms


def test_pose_is_that_of_the_base_at_the_images_stamp(node, robot, localizer, views):
    stamps = {}

    def driven() -> bool:
        view = views[len(stamps) % len(views)]
        stamps[robot.drive(view, T_ODOM_BASE).nanoseconds] = view
        return len(robot.new_poses(stamps)) >= 3

    robot.wait_for(driven, 'three poses')
    pose = robot.new_poses(stamps)[-1]
    assert pose.header.frame_id == 'map'
    estimate = localizer.localize(stamps[nanoseconds(pose)], CAMERA)
    T_map_base = estimate.T_map_cam @ np.linalg.inv(T_BASE_CAM)
    assert close(matrix(pose.pose), T_map_base)

    def with_covariance():
        return [p for p in robot.poses_with_covariance if p.header == pose.header]

    [same] = wait_until(with_covariance, 'the same pose with covariance')
    assert close(matrix(same.pose.pose), T_map_base)
    covariance = np.array(same.pose.covariance).reshape(6, 6)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    np.testing.assert_allclose(covariance[3:, 3:], estimate.covariance[3:, 3:], rtol=1e-3)


def test_a_camera_on_a_joint_is_waited_for(start_node, views):
    """Joint states come at 10 to 50 Hz, mostly after the image."""
    start_node(tf_mode='map_to_base')
    with Robot(CAMERA, mounted=False) as robot:
        stamps = set()

        def look_and_say_later_where_from() -> bool:
            robot.mount(robot.now())
            stamp = robot.drive(views[0])
            stamps.add(stamp.nanoseconds)
            time.sleep(0.2)
            robot.mount(robot.now())
            return bool(robot.new_poses(stamps))

        robot.wait_for(look_and_say_later_where_from, 'a pose')


def test_map_to_odom_completes_tf_and_goes_on_between_the_images(node, robot, views):
    robot.drive_until(
        lambda: robot.poses and robot.transforms, 'map->odom', lambda: views[7], T_ODOM_BASE
    )
    # Nothing is in flight any more when the same correction has come for a while.
    wait_until(lambda: robot.last_corrections_agree(10), 'map->odom between the images')
    last = robot.transforms[-1]
    assert (last.header.frame_id, last.child_frame_id) == ('map', 'odom')
    T_map_odom = messages.matrix(last.transform)
    assert close(T_map_odom @ T_ODOM_BASE, matrix(robot.poses[-1].pose))
    # Dated 0.3 s ahead of when it was sent, so at most that much ahead of now.
    ahead = nanoseconds(last) - robot.now().nanoseconds
    assert ahead < 0.3e9


def test_odometry_is_taken_at_the_images_stamp(node, robot, views):
    """With the latest odometry instead, map->odom would be wrong by the way gone since."""
    moved = T_ODOM_BASE.copy()
    moved[0, 3] += 100.0
    robot.camera_info()
    wait_until(lambda: robot.sees_subscriber_of_images(), 'the node')
    stamp = robot.now()
    for offset, T in ((-0.1, T_ODOM_BASE), (0.0, T_ODOM_BASE), (0.1, moved)):
        robot.odometry(T, Time(nanoseconds=stamp.nanoseconds + int(offset * 1e9)))
    time.sleep(0.3)  # so that the latest is there before the image: the trap is laid
    poses = len(robot.poses)

    def localized() -> bool:
        robot.image(views[11], stamp)  # best effort: it may be lost
        return any(nanoseconds(p) == stamp.nanoseconds for p in robot.poses[poses:])

    robot.wait_for(localized, 'the pose')
    wait_until(lambda: robot.last_corrections_agree(3), 'map->odom')
    T_map_odom = messages.matrix(robot.transforms[-1].transform)
    assert close(T_map_odom @ T_ODOM_BASE, matrix(robot.poses[-1].pose))


def test_path_and_posemap_image(node, robot, localizer, next_view):
    robot.look_at_posemap()
    robot.drive_until(
        lambda: robot.posemap_images and any(len(p.poses) == 3 for p in robot.paths),
        'path and picture',
        next_view,
        T_ODOM_BASE,
    )
    assert max(len(p.poses) for p in robot.paths) == 3
    picture = robot.posemap_images[-1]
    # The camera's image, the map's view and the PoseMap, under their names and above a caption.
    size = localizer.network_camera
    assert picture.width == 3 * round(240 * size.width / size.height)
    assert 240 < picture.height < 300
    assert picture.encoding == 'rgb8' and len(picture.data) == picture.height * picture.step


def test_rejected_fixes_have_a_huge_covariance_and_no_pose(node, robot, views):
    robot.set_parameter('max_sigma_translation', 0.001)
    robot.drive_until(
        lambda: (
            robot.poses_with_covariance
            and robot.poses_with_covariance[-1].pose.covariance[0] == 9999.0
        ),
        'a rejected fix',
        lambda: views[0],
        T_ODOM_BASE,
    )
    poses, fixes = len(robot.poses), len(robot.poses_with_covariance)
    robot.drive_until(
        lambda: len(robot.poses_with_covariance) > fixes + 10,
        'rejected fixes',
        lambda: views[0],
        T_ODOM_BASE,
    )
    variances = np.diagonal(np.reshape(robot.poses_with_covariance[-1].pose.covariance, (6, 6)))
    np.testing.assert_array_equal(variances, 9999.0)
    assert len(robot.poses) == poses
    # A whole window of rejected fixes: the robot is lost, and everyone can see why.
    wait_until(
        lambda: (
            'localization' in robot.diagnostics
            and robot.diagnostics['localization'].message.startswith(
                'Not localized! The network expects an error'
            )
        ),
        'diagnostics',
    )
    robot.set_parameter('max_sigma_translation', 1000.0)
    robot.drive_until(
        lambda: len(robot.poses) > poses, 'poses again', lambda: views[0], T_ODOM_BASE
    )
