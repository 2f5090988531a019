"""What can happen to a refine, to the environment, and to the services at the same time."""

import os
import random
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from robot import answer, child_of, frames_kept, wait_until
from soak import amount

from posemap_ros.environment import Environment


@pytest.fixture
def own_environment(environment, tmp_path) -> Path:
    """An environment that the test may change."""
    return Path(shutil.copytree(environment, tmp_path / 'own'))


def drive_until_poses(robot, next_view) -> None:
    before = len(robot.poses)
    robot.drive_until(lambda: len(robot.poses) > before + 2, 'poses', next_view)


def all_answers(robot, calls, next_view) -> list:
    """What the services say in the end."""
    robot.drive_until(lambda: all(call.done() for call in calls), 'all answers', next_view)
    return [call.result() for call in calls]


def at_most_one_waits(calls) -> bool:
    return sum(not call.done() for call in calls) <= 1


def test_a_refine_killed_at_random_moments(start_node, robot, slow_to_refine, tmp_path, next_view):
    own = shutil.copytree(slow_to_refine, tmp_path / 'own')
    node = start_node(environment=own, tf_mode='none', refine_min_frames=8, refine_seconds=600.0)
    robot.drive_until(lambda: frames_kept(robot) >= 8, 'frames', next_view)
    for seed in range(amount(3, 40)):
        refined = robot.call('refine')
        child = wait_until(lambda: child_of(node.pid), 'the refine process')
        end = time.monotonic() + random.Random(seed).uniform(0, 4)
        while time.monotonic() < end:
            robot.drive(next_view())
            time.sleep(0.05)
        os.kill(child, signal.SIGKILL)
        response = answer(refined)
        assert not response.success and 'killed' in response.message
        wait_until(lambda child=child: not Path(f'/proc/{child}').exists(), 'its end')
    drive_until_poses(robot, next_view)
    assert Environment.load(own).revision == 0
    assert node.stop() == 0
    assert 'Traceback' not in node.log


def test_two_nodes_refine_one_environment(start_node, robot, own_environment, next_view):
    nodes = [
        start_node(
            name=name,
            environment=own_environment,
            tf_mode='none',
            refine_min_frames=8,
            refine_seconds=2.0,
        )
        for name in ('posemap', 'posemap2')
    ]
    kept = 0
    for _ in range(amount(1, 20)):
        robot.drive_until(
            lambda: frames_kept(robot) >= 8 and frames_kept(robot, 'posemap2: refine') >= 8,
            'frames of both',
            next_view,
        )
        for response in all_answers(
            robot, [robot.call('refine', node=name) for name in ('posemap', 'posemap2')], next_view
        ):
            assert 'held-out images' in response.message
            kept += response.success
    # Whether untrained weights get better is open; that none is lost is not.
    assert len(list((own_environment / 'revisions').glob('[0-9]*'))) == kept
    for revision in range(kept + 1):
        Environment.load(own_environment, revision).load_aprnet()
    drive_until_poses(robot, next_view)
    assert [node.stop() for node in nodes] == [0, 0]


def remove(environment: Path) -> None:
    shutil.rmtree(environment)


def cut_short(environment: Path) -> None:
    """As a full disk would leave it, had it been written in place."""
    for file in environment.glob('*.safetensors'):
        os.truncate(file, 1000)


def garble(environment: Path) -> None:
    for file in environment.glob('*'):
        if file.is_file():
            file.write_bytes(np.random.default_rng(0).bytes(5000))


def turn_into_pipes(environment: Path) -> None:
    for file in environment.glob('*'):
        if file.is_file():
            file.unlink()
            os.mkfifo(file)


def test_an_environment_that_is_damaged_while_in_use(
    start_node, robot, environment, own_environment, next_view
):
    """Reset loads weights anew, refine all of it, and the first look at the PoseMap NeRF-P."""
    node = start_node(environment=own_environment, tf_mode='none', refine_min_frames=8)
    robot.drive_until(lambda: frames_kept(robot) >= 8, 'frames', next_view)
    robot.look_at_posemap()

    def call(name: str):
        [response] = all_answers(robot, [robot.call(name)], next_view)
        return response

    for damage in amount((remove, garble), (remove, cut_short, garble, turn_into_pipes) * 10):
        damage(own_environment)
        reset = call('reset')
        assert not reset.success and str(own_environment) in reset.message
        assert not call('refine').success
        drive_until_poses(robot, next_view)
        shutil.rmtree(own_environment, ignore_errors=True)
        shutil.copytree(environment, own_environment)
        assert call('reset').success
    robot.drive_until(lambda: robot.posemap_images, 'a picture', next_view)
    assert node.stop() == 0
    assert 'Traceback' not in node.log


def test_a_picture_that_cannot_be_rendered(start_node, robot, own_environment, next_view):
    node = start_node(environment=own_environment, tf_mode='none')
    garble(own_environment)
    robot.look_at_posemap()
    robot.drive_until(lambda: 'was not used' in node.log, 'a word on it', next_view)
    drive_until_poses(robot, next_view)
    assert not robot.posemap_images
    assert node.stop() == 0


def test_fifty_calls_at_once_are_all_answered(start_node, robot, own_environment, next_view):
    node = start_node(
        environment=own_environment, tf_mode='none', refine_min_frames=8, refine_seconds=600.0
    )
    robot.drive_until(lambda: frames_kept(robot) >= 8, 'frames', next_view)
    for _ in range(amount(1, 20)):
        calls = [robot.call('refine') for _ in range(45)] + [robot.call('reset') for _ in range(5)]
        # One refine may have started after the last reset.
        robot.drive_until(partial(at_most_one_waits, calls), 'answers', next_view)
        calls.append(robot.call('reset'))
        answers = all_answers(robot, calls, next_view)
        assert all(response.message for response in answers)
        assert all(response.success for response in answers[45:])
    drive_until_poses(robot, next_view)
    assert node.stop() == 0
    assert 'Traceback' not in node.log
