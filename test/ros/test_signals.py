"""SIGINT and SIGTERM at whatever moment end the node with exit code 0."""

import random
import signal
import time

import pytest
from robot import wait_until
from soak import amount

MOMENTS = amount(3, 100)
LATEST_SECONDS = 6.0  # after it can be stopped; by then it localizes, on most machines


@pytest.mark.parametrize('seed', range(MOMENTS))
def test_a_signal_at_a_random_moment(start_node, robot, next_view, seed):
    how = (signal.SIGTERM, signal.SIGINT)[seed % 2]
    # The first ones early, in the midst of imports, and later ones while images come.
    moment = random.Random(seed).uniform(0, LATEST_SECONDS * (seed % 10 + 1) / 10)
    node = start_node(ready=False)
    # Before that it is Python that starts, and no program of ours.
    wait_until(lambda: node.catches(signal.SIGTERM), 'the handlers of signals')
    end = time.monotonic() + moment
    while time.monotonic() < end:
        robot.drive(next_view())
        time.sleep(min(0.05, max(0.0, end - time.monotonic())))
    assert node.stop(how) == 0, f'after {moment:.2f} s:\n{node.log}'
    assert 'Traceback' not in node.log
