"""Keeps the tests' ROS traffic to themselves, and leaves out what needs ROS where there is none."""

import importlib.util
import os

import pytest

# Read when rclpy starts, in this process and in the nodes that tests start. Domains 1 to 100 are
# free on every platform; the process id keeps two runs on one machine apart.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)

NEED_ROS = ['node/test_messages.py', 'ros', 'ros_support']
collect_ignore = [] if importlib.util.find_spec('rclpy') else NEED_ROS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line(
            f'Skipped, because rclpy is not installed: {", ".join(collect_ignore)} in test/. '
            '`make test` runs them.'
        )
