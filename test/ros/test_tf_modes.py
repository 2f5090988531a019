"""The modes for robots without odometry, for cameras without a robot, and for no TF at all."""

import time

import numpy as np
from robot import CAMERA_FRAME, T_BASE_CAM, Robot, matrix, nanoseconds
from tiny_environment import CAMERA

from posemap_ros.node import messages


def test_map_to_base_is_sent_for_the_moment_of_the_image(start_node, robot, views):
    start_node(tf_mode='map_to_base')
    robot.drive_until(lambda: robot.poses and robot.transforms, 'poses', lambda: views[0])
    assert {t.child_frame_id for t in robot.transforms} == {'base_link'}
    poses = {nanoseconds(p): p for p in robot.poses}
    shared = [t for t in robot.transforms if nanoseconds(t) in poses]
    assert len(shared) >= len(robot.transforms) - 1  # the last pose may still be on its way
    np.testing.assert_allclose(
        messages.matrix(shared[0].transform),
        matrix(poses[nanoseconds(shared[0])].pose),
        atol=1e-9,
    )


def test_map_to_camera_needs_no_robot_and_leaves_one_alone(start_node, localizer, views):
    node = start_node(tf_mode='map_to_camera')
    expected = localizer.localize(views[0], CAMERA).T_map_cam
    with Robot(CAMERA, mounted=False) as camera:
        camera.drive_until(
            lambda: camera.poses and camera.transforms, 'map->camera', lambda: views[0]
        )
        transform = camera.transforms[-1]
        assert transform.child_frame_id == CAMERA_FRAME
        np.testing.assert_allclose(messages.matrix(transform.transform), expected, atol=1e-3)
        np.testing.assert_allclose(matrix(camera.poses[-1].pose), expected, atol=1e-3)
    # On a robot, map->camera over base_link->camera would take the camera off it.
    with Robot(CAMERA) as robot:
        robot.drive_until(lambda: 'second parent' in node.log, 'a warning', lambda: views[0])
        robot.poses.clear()
        robot.transforms.clear()
        robot.drive_until(lambda: len(robot.poses) > 3, 'poses', lambda: views[0])
        assert not robot.transforms


def test_no_tf_and_compressed_images_of_the_training_camera(start_node, robot, localizer, views):
    start_node(tf_mode='none', image_transport='compressed', assume_training_camera=True)

    def localized() -> bool:
        robot.compressed(views[3], robot.now())
        return len(robot.poses) > 2

    robot.wait_for(localized, 'poses')
    expected = localizer.localize(views[3], CAMERA).T_map_cam @ np.linalg.inv(T_BASE_CAM)
    np.testing.assert_allclose(matrix(robot.poses[-1].pose), expected, atol=1e-3)
    time.sleep(0.3)  # for a few rounds of a 20 Hz timer that should not be there
    assert not robot.transforms
