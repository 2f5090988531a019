"""The live view beside the demo: the installed executable `view`, in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from demo.processes import stop

START_SECONDS = 60.0


class LiveView:
    """Shows the demo at `target`: browser, screen, or FILE.rrd; what it prints goes to `log`.

    Raises SystemExit, with its own sentence, where it cannot.
    """

    def __init__(self, target: str, log: Path) -> None:
        executable = shutil.which('view')
        if executable is None:
            raise SystemExit('demo: the view is not installed here; run `make demo ARGS=--view`')
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        with log.open('wb') as output:
            self._process = subprocess.Popen(
                [executable, '--to', target],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self._where = self._wait()
        print(self._where, flush=True)

    def _wait(self) -> str:
        """Where it can be seen, once it says so."""
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up:
            said = self._log.read_text(errors='replace').strip()
            if self._process.poll() is not None:
                raise SystemExit(said or f'demo: the view ended; see {self._log}')
            if said:
                return said.splitlines()[0]
            time.sleep(0.1)
        self.stop()
        raise SystemExit(f'demo: the view did not start within {START_SECONDS:.0f} s')

    def linger(self) -> None:
        """Stay, for who watches a terminal, until Ctrl-C."""
        if sys.stdout.isatty() and 'http' in self._where:
            print(f'{self._where}, until you press Ctrl-C')
            with suppress(KeyboardInterrupt):
                self._process.wait()

    def stop(self) -> None:
        """End it."""
        stop(self._process)
