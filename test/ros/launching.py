"""Launch files of the package, started by `ros2 launch` as a user would."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from robot import wait_until

# The process, and a function that reads what it printed so far.
Launched = tuple[subprocess.Popen, Callable[[], str]]


@contextmanager
def launching(logs: Path) -> Iterator[Callable[..., Launched]]:
    """Gives a function that starts a launch file with arguments; kills what still runs."""
    started = []

    def launch(file: str, *arguments: str) -> Launched:
        log = logs / f'launch{len(started)}.log'
        with log.open('wb') as output:
            process = subprocess.Popen(
                ['ros2', 'launch', 'posemap_ros', file, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process, lambda: log.read_text(errors='replace')

    try:
        yield launch
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(text: str, output: Callable[[], str], process: subprocess.Popen) -> None:
    """Until it is printed; fails with all that was printed where the process ends before."""

    def printed() -> bool:
        assert process.poll() is None, output()
        return text in output()

    wait_until(printed, f'{text!r}')
