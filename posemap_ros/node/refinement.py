"""Refine as a child process: beside localization, which it cannot slow down or bring down.

In a thread of the node, training would halve the rate of the poses through Python's global lock,
and running out of memory would end both. The child gets its frames in a temporary folder and
reports in lines of JSON on its standard output, see refine_worker.py.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import posemap_ros
from posemap_ros.alignment.align import AlignmentResult
from posemap_ros.node.frame_buffer import KeptFrame
from posemap_ros.node.refine_job import RefineJob, write_images
from posemap_ros.node.refine_worker import REST, REST_SECONDS

_WORK_SECONDS = 0.2  # at least, between two rests
_GRACE_SECONDS = 2.0  # for the child to clean up when it is told to stop


class RefineFailed(RuntimeError):
    """A refine that gave no result, with the reason as a sentence."""


class Refinement:
    """Runs one refine at a time. `run` blocks in one thread, `cancel` comes from any other."""

    def __init__(self) -> None:
        self._busy = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._stopped = ''
        self._works_until = 0.0  # by time.monotonic(), whoever asks it to rest
        self.status = 'idle'

    @property
    def running(self) -> bool:
        """Whether a refine is under way."""
        return self._busy.locked()

    def run(
        self,
        job: RefineJob,
        frames: list[KeptFrame],
        timeout: float,
        progress: Callable[[float, str], None] = lambda fraction, text: None,
    ) -> AlignmentResult:
        """Align on `frames` in a child process, for `timeout` seconds at most.

        An accepted alignment is in the environment's folder, as a new revision, when this returns.
        Raises `RefineFailed`, also when another one runs already.
        """
        if not self._busy.acquire(blocking=False):
            raise RefineFailed(f'a refine is already running ({self.status}); wait for its answer')
        try:
            self._stopped = ''
            self.status = 'starting'
            result = self._run(job, frames, timeout, progress)
            self.status = f'{"accepted" if result.accepted else "not accepted"}: {result.reason}'
            return result
        except (RefineFailed, OSError) as error:
            self.status = f'failed: {error}'
            raise RefineFailed(str(error)) from None
        finally:
            self._busy.release()

    def cancel(self, reason: str) -> None:
        """Stop the refine that runs, if one does; its `run` fails with this reason."""
        if self.running:
            self._stopped = self._stopped or reason
            process = self._process
            if process is not None:
                _stop(process)

    def give_way(self) -> None:
        """Let the refine that runs, if one does, rest for a moment: others want the processor.

        However often it is asked to, it works two fifths of the time.
        """
        process, now = self._process, time.monotonic()
        if process is not None and now >= self._works_until:
            self._works_until = now + REST_SECONDS + _WORK_SECONDS
            with suppress(OSError, ValueError):  # it has just ended
                os.write(process.stdin.fileno(), REST)

    def _run(
        self,
        job: RefineJob,
        frames: list[KeptFrame],
        timeout: float,
        progress: Callable[[float, str], None],
    ) -> AlignmentResult:
        with tempfile.TemporaryDirectory(prefix='posemap_refine_') as folder:
            write_images(Path(folder), frames)
            job.write(Path(folder))
            log = Path(folder) / 'log.txt'
            with log.open('wb') as stderr:
                self._process = subprocess.Popen(
                    [sys.executable, '-m', 'posemap_ros.node.refine_worker', folder],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    env=_environment_variables(job.threads),
                    # Ctrl-C reaches the whole group of a terminal: the child must not take it as
                    # its own.
                    start_new_session=True,
                )
            if self._stopped:  # cancelled before there was a process to stop
                _stop(self._process)
            watchdog = threading.Timer(
                timeout, self.cancel, [f'it took longer than refine_timeout ({timeout:g} s)']
            )
            watchdog.start()
            try:
                answer = self._listen(self._process, progress)
                code = self._process.wait()
            finally:
                watchdog.cancel()
                _stop(self._process)
                self._process.stdout.close()
                self._process = None
            if 'result' in answer:
                return AlignmentResult(**answer['result'])
            raise RefineFailed(self._stopped or answer.get('error') or _how_it_died(code, log))

    def _listen(self, process: subprocess.Popen, progress: Callable[[float, str], None]) -> dict:
        answer = {}
        for line in process.stdout:
            try:
                answer = json.loads(line)
            except json.JSONDecodeError:  # it died while writing
                return {}
            if 'progress' in answer:
                fraction, text = answer['progress']
                self.status = f'running: {100 * fraction:.0f} %, {text}'
                progress(fraction, text)
        return answer


def _stop(process: subprocess.Popen) -> None:
    """Make sure that a child has ended, gently if it lets us."""
    # The end of its standard input tells the child to stop, as the death of the node would.
    process.stdin.close()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment_variables(threads: int) -> dict[str, str]:
    """The node's own, with the package importable as it is here, and few threads."""
    package_parent = str(Path(posemap_ros.__file__).resolve().parent.parent)
    paths = [package_parent, *filter(None, [os.environ.get('PYTHONPATH')])]
    return {
        **os.environ,
        'PYTHONPATH': os.pathsep.join(paths),
        'OMP_NUM_THREADS': str(threads),
        # Threads that wait for one another by spinning take the processor from the one that they
        # wait for, where others want it, too: a refine of 40 s then takes ten minutes.
        'OMP_WAIT_POLICY': 'PASSIVE',
    }


def _how_it_died(code: int, log: Path) -> str:
    """A sentence about a child that ended without an answer."""
    if code == -signal.SIGKILL:
        return 'the refine process was killed, most likely because memory ran out'
    last_words = log.read_text(errors='replace').strip().splitlines()[-1:]
    how = f'by signal {signal.Signals(-code).name}' if code < 0 else f'with exit code {code}'
    return ': '.join([f'the refine process ended {how}', *last_words])
