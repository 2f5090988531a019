"""What all tests share: ROS traffic kept to this machine, and a small environment to work on."""

import fcntl
import importlib.util
import os
import shutil
import tempfile
from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest


def claim_domain() -> int:
    """A ROS domain that no other run of tests on this machine uses until this process ends.

    Domains 1 to 100 are free on every platform. In a domain with two nodes of the same name, each
    may answer what was asked of the other.
    """
    first = os.getpid() % 100
    for domain in chain(range(first, 100), range(first)):
        path = Path(tempfile.gettempdir()) / f'posemap_test_domain_{domain + 1}'
        with suppress(OSError):  # it is another run's, or another user's
            claim = os.open(path, os.O_CREAT)  # stays open for as long as this process lives
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return domain + 1
    raise RuntimeError('all ROS domains are taken by other runs of these tests')


# Read when rclpy starts, in this process and in the nodes that tests start.
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['ROS_DOMAIN_ID'] = str(claim_domain())
# Before torch is imported. The networks here are so small that a second thread costs more than it
# gives, and much more where other work wants the processor, too.
os.environ.setdefault('OMP_NUM_THREADS', '1')

NEED_ROS = ['node/test_messages.py', 'ros', 'ros_support']
collect_ignore = [] if importlib.util.find_spec('rclpy') else NEED_ROS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line(
            f'Skipped, because rclpy is not installed: {", ".join(collect_ignore)} in test/. '
            '`make test` runs them.'
        )


@pytest.fixture(scope='session')
def pristine_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained environment that no test may change."""
    from tiny_environment import make_tiny_environment

    return make_tiny_environment(tmp_path_factory.mktemp('pristine') / 'environment')


@pytest.fixture
def environment(pristine_environment: Path, tmp_path: Path) -> Path:
    """A copy of the untrained environment, for one test to do with as it likes."""
    return Path(shutil.copytree(pristine_environment, tmp_path / 'environment'))
