"""Starting, stopping, and time that starts anew."""

import signal

import numpy as np
import pytest
from robot import Robot, wait_until
from tiny_environment import CAMERA

T_ODOM_BASE = np.eye(4)


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
def test_stops_with_exit_code_0_while_it_starts(start_node, how):
    node = start_node(ready=False)
    node.wait_for_log('parameters')
    assert node.stop(how) == 0
    assert 'Traceback' not in node.log


@pytest.mark.parametrize(
    ('parameters', 'sentence'),
    [
        ({'environment': '/nowhere'}, 'there is no environment folder /nowhere'),
        ({'device': 'gpu'}, 'device must be one of auto, cpu, cuda'),
        ({'map_frame': '/map'}, 'without a leading slash'),
    ],
)
def test_what_cannot_start_says_why_in_one_sentence(start_node, parameters, sentence):
    node = start_node(ready=False, **parameters)
    assert node.wait_for_exit() == 1
    assert sentence in node.log
    assert 'Traceback' not in node.log


def test_simulated_time(start_node, next_view):
    with Robot(CAMERA, simulated_time=True) as robot:
        node = start_node(use_sim_time=True, path_spacing=0.0)

        def drive_until(condition, what: str) -> None:
            def step() -> bool:
                robot.tick(0.1)
                robot.drive(next_view(), T_ODOM_BASE)
                return condition()

            robot.wait_for(step, what)

        drive_until(lambda: robot.poses and robot.transforms, 'poses in simulated time')
        assert robot.poses[-1].header.stamp.sec < 2000  # not the machine's
        drive_until(lambda: robot.paths and len(robot.paths[-1].poses) > 3, 'a path')

        # The bag starts again: images of the past count once more, and the path starts anew.
        robot.tick(-500.0)
        drive_until(lambda: robot.poses[-1].header.stamp.sec < 600, 'poses after the jump')
        assert 'time went back by' in node.log
        wait_until(
            lambda: robot.paths[-1].poses and robot.paths[-1].poses[0].header.stamp.sec < 600,
            'a new path',
        )

    assert node.stop(signal.SIGINT) == 0
    assert 'Traceback' not in node.log


def test_initialpose_clears_the_history_and_sigterm_ends_it(start_node, robot, views):
    # Fixes may not jump at all, so with a standing robot only the first view's are believed.
    node = start_node(
        gate_window=1000,
        max_disagreement_translation=1e-3,
        max_disagreement_rotation=0.01,
        fix_tiemout=1.0,
    )
    assert "'fix_tiemout' is not known" in node.log
    robot.drive_until(lambda: len(robot.poses) > 3, 'poses', lambda: views[0], T_ODOM_BASE)
    robot.drive_until(
        lambda: 'fix rejected' in node.log, 'a rejection', lambda: views[20], T_ODOM_BASE
    )
    robot.initial_pose('odom')
    node.wait_for_log("initialpose is in 'odom'")
    robot.initial_pose('map')
    node.wait_for_log('initialpose: the next fix')
    poses = len(robot.poses)
    robot.drive_until(
        lambda: len(robot.poses) > poses + 2, 'poses', lambda: views[20], T_ODOM_BASE
    )
    assert node.stop(signal.SIGTERM) == 0
    assert 'Traceback' not in node.log
