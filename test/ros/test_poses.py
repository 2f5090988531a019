"""Images in, poses and transforms out."""

import time

import numpy as np
import pytest
from rclpy.time import Time
from robot import CAMERA_FRAME, T_BASE_CAM, Robot, seconds, wait_until
from tiny_environment import CAMERA

from posemap_ros.node import messages

T_ODOM_BASE = np.array([[0, -1, 0, 4.0], [1, 0, 0, 2.0], [0, 0, 1, 0.0], [0, 0, 0, 1.0]])


def matrix(pose) -> np.ndarray:
    transform = messages.transform_stamped(np.eye(4), '', '', Time().to_msg()).transform
    transform.translation.x = pose.position.x
    transform.translation.y = pose.position.y
    transform.translation.z = pose.position.z
    transform.rotation = pose.orientation
    return messages.matrix(transform)


def close(actual: np.ndarray, expected: np.ndarray) -> bool:
    # Threads of PyTorch may add in another order: micrometres.
    return np.allclose(actual, expected, atol=1e-4)


def test_pose_is_that_of_the_base_at_the_images_stamp(start_node, robot, localizer, views):
    start_node(transform_tolerance=0.3)
    stamps = {}

    def driven() -> bool:
        view = views[len(stamps) % len(views)]
        stamps[robot.drive(view, T_ODOM_BASE).nanoseconds] = view
        return len(robot.poses) >= 3 and len(robot.poses_with_covariance) >= 3

    robot.wait_for(driven, 'three poses')
    pose = robot.poses[-1]
    assert pose.header.frame_id == 'map'
    view = stamps[Time.from_msg(pose.header.stamp).nanoseconds]
    estimate = localizer.localize(view, CAMERA)
    T_map_base = estimate.T_map_cam @ np.linalg.inv(T_BASE_CAM)
    assert close(matrix(pose.pose), T_map_base)

    [same] = [p for p in robot.poses_with_covariance if p.header.stamp == pose.header.stamp]
    assert close(matrix(same.pose.pose), T_map_base)
    covariance = np.array(same.pose.covariance).reshape(6, 6)
    assert np.all(np.linalg.eigvalsh(covariance) > 0)
    np.testing.assert_allclose(covariance[3:, 3:], estimate.covariance[3:, 3:], rtol=1e-3)

    # map->odom makes TF agree with the pose, is dated ahead, and goes on between the images.
    wait_until(lambda: robot.transforms, 'map->odom')
    before = len(robot.transforms)
    wait_until(lambda: len(robot.transforms) > before + 5, 'map->odom between images')
    last = robot.transforms[-1]
    assert (last.header.frame_id, last.child_frame_id) == ('map', 'odom')
    T_map_odom = messages.matrix(last.transform)
    assert close(T_map_odom @ T_ODOM_BASE, matrix(robot.poses[-1].pose))
    ahead = seconds(last.header.stamp) - seconds(robot.now().to_msg())
    assert -20 < ahead < 0.3


def test_odometry_is_taken_at_the_images_stamp(start_node, robot, views):
    """With the latest odometry instead, map->odom would be wrong by the way gone since."""
    start_node()
    moved = T_ODOM_BASE.copy()
    moved[0, 3] += 100.0

    def drive() -> bool:
        stamp = robot.now()
        robot.camera_info()
        for offset, T in ((-0.2, T_ODOM_BASE), (0.0, T_ODOM_BASE), (0.2, moved)):
            robot.odometry(T, Time(nanoseconds=stamp.nanoseconds + int(offset * 1e9)))
        robot.image(views[0], stamp)
        time.sleep(0.5)
        return robot.poses and robot.transforms

    wait_until(drive, 'map->odom')
    T_map_odom = messages.matrix(robot.transforms[-1].transform)
    assert close(T_map_odom @ T_ODOM_BASE, matrix(robot.poses[-1].pose))


@pytest.mark.parametrize(('mode', 'child'), [('map_to_base', 'base_link'), ('none', None)])
def test_modes_without_map_to_odom(start_node, robot, views, mode, child):
    start_node(tf_mode=mode)
    robot.drive_until(lambda: len(robot.poses) > 2, 'poses', lambda: views[0])
    time.sleep(0.3)  # long enough for a few rounds of a 20 Hz timer that should not be there
    assert {t.child_frame_id for t in robot.transforms} == ({child} if child else set())
    if child:
        poses = {Time.from_msg(p.header.stamp): p for p in robot.poses}
        transform = robot.transforms[0]
        pose = poses[Time.from_msg(transform.header.stamp)]
        assert close(messages.matrix(transform.transform), matrix(pose.pose))


def test_map_to_camera_needs_no_robot(start_node, localizer, views):
    start_node(tf_mode='map_to_camera')
    with Robot(CAMERA, mounted=False) as robot:
        robot.drive_until(lambda: robot.transforms, 'map->camera', lambda: views[0])
        transform = robot.transforms[-1]
        assert transform.child_frame_id == CAMERA_FRAME
        expected = localizer.localize(views[0], CAMERA).T_map_cam
        assert close(messages.matrix(transform.transform), expected)
        assert close(matrix(robot.poses[-1].pose), expected)


def test_a_second_parent_is_refused(start_node, robot, views):
    """map->camera over base_link->camera would take the camera off the robot."""
    node = start_node(tf_mode='map_to_camera')
    robot.drive_until(lambda: 'second parent' in node.log, 'a warning', lambda: views[0])
    assert not robot.transforms
    assert robot.poses


def test_without_odometry_poses_go_on_and_the_log_says_what_is_missing(start_node, robot, views):
    node = start_node(transform_wait=0.0)
    robot.drive_until(lambda: len(robot.poses) > 2, 'poses', lambda: views[0])
    node.wait_for_log('odometry is missing on TF')
    assert not robot.transforms


def test_compressed_images(start_node, robot, localizer, views):
    start_node(image_transport='compressed', assume_training_camera=True, tf_mode='none')

    def drive() -> bool:
        robot.compressed(views[3], robot.now())
        time.sleep(0.1)
        return robot.poses

    wait_until(drive, 'a pose')
    expected = localizer.localize(views[3], CAMERA).T_map_cam @ np.linalg.inv(T_BASE_CAM)
    assert close(matrix(robot.poses[-1].pose), expected)


def test_rejected_fixes_have_a_huge_covariance_and_no_pose(start_node, robot, views):
    node = start_node(max_sigma_translation=0.001)
    robot.drive_until(
        lambda: len(robot.poses_with_covariance) > 2,
        'rejected fixes',
        lambda: views[0],
        T_ODOM_BASE,
    )
    variances = np.array(robot.poses_with_covariance[-1].pose.covariance).reshape(6, 6).diagonal()
    np.testing.assert_array_equal(variances, 9999.0)
    assert not robot.poses
    assert not robot.transforms
    assert 'max_sigma_translation' in node.log
    status = wait_until(lambda: robot.diagnostics.get('localization'), 'diagnostics')
    assert status.message.startswith('Not localized!')


def test_path_and_posemap_image(start_node, robot, localizer, next_view):
    start_node(path_length=3, path_spacing=0.0, posemap_rate=10.0)
    robot.look_at_posemap()
    robot.drive_until(
        lambda: robot.posemap_images and any(len(p.poses) == 3 for p in robot.paths),
        'path and picture',
        next_view,
        T_ODOM_BASE,
    )
    assert max(len(p.poses) for p in robot.paths) == 3
    picture = robot.posemap_images[-1]
    size = localizer.network_camera
    assert (picture.width, picture.height, picture.encoding) == (
        2 * size.width,
        size.height,
        'rgb8',
    )
