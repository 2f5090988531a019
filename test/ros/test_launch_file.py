"""The launch file, started by `ros2 launch` as a user would, where there is one.

The wheels have no ros2 launch; a ROS installation has.
"""

import os
import shutil
import signal
import subprocess

import pytest
from launching import wait_for
from robot import PATIENCE_SECONDS, Robot, wait_until
from tiny_environment import CAMERA

pytestmark = pytest.mark.skipif(
    shutil.which('ros2') is None, reason='`ros2 launch` is not installed here'
)


def test_shows_its_arguments():
    shown = subprocess.run(
        ['ros2', 'launch', 'posemap_ros', 'localize.launch.py', '--show-args'],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    ).stdout
    for argument in ('environment', 'image_topic', 'namespace', 'tf_mode', 'use_view'):
        assert f"'{argument}':" in shown


def test_arguments_reach_the_node_and_ctrl_c_ends_it(launch, environment, views):
    process, output = launch(
        'localize.launch.py',
        f'environment:={environment}',
        'namespace:=robot1',
        'image_topic:=front/image',
        'tf_mode:=map_to_camera',
        'device:=cpu',
    )
    wait_for('ready: waiting for images on /robot1/front/image', output, process)
    with Robot(CAMERA, mounted=False) as robot:
        names = wait_until(
            lambda: (
                topics := dict(robot.node.get_topic_names_and_types()),
                topics if '/robot1/posemap/pose' in topics else None,
            )[1],
            'the topics',
        )
        assert '/robot1/front/camera_info' in names
        assert '/robot1/tf' in names  # a tree of its own
    # As a terminal does it: to launch and to the node, which hears it from launch once more.
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert 'process has finished cleanly' in output()
    assert 'Traceback' not in output()


def test_a_parameter_file_is_used_and_arguments_go_before_it(launch, environment, tmp_path):
    params = tmp_path / 'params.yaml'
    params.write_text(
        '/**:\n  ros__parameters:\n    fix_timeout: 7.5\n    tf_mode: none\n    device: cpu\n'
        '    autostart: false\n'
    )
    process, output = launch(
        'localize.launch.py',
        f'environment:={environment}',
        f'params_file:={params}',
        'tf_mode:=map_to_base',
        'autostart:=true',
        'use_sim_time:=true',
        'image_topic:=/front/image/compressed',
    )
    wait_for('ready: waiting for images on /front/image/compressed', output, process)
    assert 'fix_timeout: 7.5' in output()
    assert "tf_mode: 'map_to_base'" in output()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(PATIENCE_SECONDS)
