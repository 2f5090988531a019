"""The executor's thread has next to nothing to do: one callback for each message, and no more."""

import time

import numpy as np
from conftest import PARAMETERS
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from robot import wait_until

from posemap_ros.node.localizer_node import LocalizerNode

ROUNDS = 40
# Besides messages and timers, the executor wakes for what is joined and left, and for discovery.
OTHER_WAKES = 100


def test_callbacks_run_as_often_as_messages_arrive(robot, environment, views):
    values = PARAMETERS | {'environment': str(environment), 'tf_rate': 10.0}
    node = LocalizerNode(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()])
    executor = SingleThreadedExecutor()
    try:
        node.trigger_configure()
        node.trigger_activate()
        executor.add_node(node)
        turns = 0

        def spin(seconds: float) -> None:
            nonlocal turns
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=left)
                turns += 1

        def discovered() -> bool:
            spin(0.1)
            return robot.sees_subscriber_of_images()

        wait_until(discovered, 'the node')
        turns, began = 0, time.monotonic()
        for i in range(ROUNDS):
            robot.drive(views[i % len(views)], np.eye(4))
            spin(0.05)
        seconds = time.monotonic() - began
        messages = 4 * ROUNDS  # camera_info, odometry twice, the image
        ticks = seconds * (10 + 1 + 2 + 1)  # tf_rate, diagnostics, path, picture
        corrections = ROUNDS + 10 * seconds  # its own, which come back on /tf
        assert turns < messages + ticks + corrections + OTHER_WAKES
        wait_until(lambda: robot.poses, 'a pose')
    finally:
        executor.shutdown()
        node.stop()
        node.destroy_node()
