"""Two robots of the same make, each in a namespace, do not hear each other."""

import time

import numpy as np
from robot import Robot, matrix, nanoseconds, wait_until
from tiny_environment import CAMERA

from posemap_ros.node import messages

NAMES = ('robot1', 'robot2')


def test_two_robots_keep_to_themselves(start_node, views):
    for name in NAMES:
        start_node(namespace=name)
    # At different places, and each with an odometry of its own.
    images = views[0], views[20]
    odometry = [np.eye(4), np.eye(4)]
    odometry[1][:2, 3] = 40.0, -20.0
    with Robot(CAMERA, namespace=NAMES[0]) as a, Robot(CAMERA, namespace=NAMES[1]) as b:
        robots, sent = (a, b), (set(), set())
        for robot in robots:
            wait_until(robot.sees_subscriber_of_images, 'the node')

        def drive() -> bool:
            for robot, stamps, image, T_odom_base in zip(robots, sent, images, odometry):
                stamps.add(robot.drive(image, T_odom_base).nanoseconds)
            time.sleep(0.05)
            return all(len(robot.poses) > 5 and robot.transforms for robot in robots)

        wait_until(drive, 'poses of both')
        for robot, stamps, T_odom_base in zip(robots, sent, odometry):
            assert {nanoseconds(pose) for pose in robot.poses} <= stamps
            # By the odometry of its own robot; by the other's, odom would be elsewhere.
            T_map_odom = messages.matrix(robot.transforms[-1].transform)
            expected = matrix(robot.poses[-1].pose) @ np.linalg.inv(T_odom_base)
            np.testing.assert_allclose(T_map_odom, expected, atol=0.05)
        for name, robot in zip(NAMES, robots):
            # Asked of the node itself: the domain still knows topics of nodes that are gone.
            topics = {
                topic
                for of_node in (
                    robot.node.get_publisher_names_and_types_by_node,
                    robot.node.get_subscriber_names_and_types_by_node,
                )
                for topic, _ in of_node('posemap', f'/{name}')
            }
            assert {f'/{name}/tf', f'/{name}/posemap/pose', f'/{name}/image'} <= topics
            assert not topics & {'/tf', '/tf_static', '/posemap/pose', '/image', '/camera_info'}
