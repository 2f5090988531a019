"""The executables `refine` and `reset`, as someone without `ros2 service call` uses them."""

import signal
import subprocess
import sys

import pytest
from robot import wait_until


def run(name, *arguments):
    program = f'import sys; from posemap_ros.node.call_service import {name}; sys.exit({name}())'
    return subprocess.run(
        [sys.executable, '-c', program, *arguments], capture_output=True, text=True, timeout=120
    )


def test_the_node_does_it_or_says_why_not(start_node, robot):
    start_node(tf_mode='none', refine_min_frames=12)
    done = run('reset', '--wait', '60')
    assert done.returncode == 0 and done.stdout.strip() and not done.stderr
    refused = run('refine', '--wait', '60')
    assert refused.returncode == 1
    assert refused.stderr.startswith('refine: ') and 'refine needs 12' in refused.stderr


def test_a_node_that_is_not_there_is_one_sentence():
    absent = run('refine', '--node', '/robot/nobody', '--wait', '0.5')
    assert absent.returncode == 1 and absent.stderr.count('\n') == 1
    assert '/robot/nobody/refine is not there' in absent.stderr


@pytest.mark.parametrize('sent', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_waits_is_one_sentence(robot, sent):
    program = 'import sys; from posemap_ros.node.call_service import refine; sys.exit(refine())'
    caller = subprocess.Popen(
        [sys.executable, '-c', program, '--node', '/robot/nobody', '--wait', '600'],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: 'posemap_caller' in robot.node.get_node_names(), 'the caller')
    caller.send_signal(sent)
    assert 'refine: stopped; ' in caller.communicate(timeout=120)[1]
    assert caller.returncode == 130
