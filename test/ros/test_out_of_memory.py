"""A picture for which there is no memory costs that picture."""

import threading

import pytest
import torch
from conftest import PARAMETERS
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter

from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.node.localizer_node import LocalizerNode


@pytest.fixture
def node(environment):
    """In this process, so that its memory can be made short where it renders."""
    values = PARAMETERS | {
        'environment': str(environment),
        'tf_mode': 'none',
        'posemap_rate': 10.0,
    }
    node = LocalizerNode(parameter_overrides=[Parameter(k, value=v) for k, v in values.items()])
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    node.trigger_configure()
    node.trigger_activate()
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    yield node
    executor.shutdown()
    thread.join()
    node.stop()
    node.destroy_node()


def test_a_picture_without_memory_is_left_out(node, robot, next_view, monkeypatch, capfd):
    failures, render = [], NeRFP.posemap

    def render_in_no_memory(nerf, *arguments):
        if len(failures) < 3:
            try:
                torch.empty(2**60, dtype=torch.uint8)  # a real allocation, which really fails
            except RuntimeError as error:
                failures.append(error)
                raise
        return render(nerf, *arguments)

    monkeypatch.setattr(NeRFP, 'posemap', render_in_no_memory)
    robot.look_at_posemap()
    robot.drive_until(lambda: len(failures) == 3, 'no memory', next_view)
    poses = len(robot.poses)
    robot.drive_until(lambda: len(robot.poses) > poses + 3, 'poses', next_view)
    robot.drive_until(lambda: robot.posemap_images, 'a picture', next_view)
    assert 'one message was not used: RuntimeError' in capfd.readouterr().err
