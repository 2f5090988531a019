"""How long an alignment goes on: so many steps, or so much time, whichever is over first."""

from __future__ import annotations

import time
from collections.abc import Callable

Progress = Callable[[float, str], None]


class Schedule:
    """Takes steps one after the other, and knows what share of them is done.

    Args:
        steps: how many there are at most.
        deadline: by time.monotonic(); None: there is time.
        progress: told the share done, up to 0.95, and what is going on.
    """

    def __init__(self, steps: int, deadline: float | None, progress: Progress) -> None:
        self._steps, self._deadline, self._progress = steps, deadline, progress
        self._started = time.monotonic()
        self._done = 0

    def run(self, step: Callable[[float], None], begin: float, end: float) -> None:
        """From one share of the steps, or of the time, to another.

        ``step`` is told a share that reaches 1 at the end of each run, where the learning rate has
        faded: weights that still move fast would be judged too hard.
        """
        while self._done < end * self._steps:
            share = max(self._done / self._steps, self._share_of_time())
            if share > end:
                break
            step(begin + (1.0 - begin) * (share - begin) / (end - begin))
            self._done += 1
            self._progress(0.95 * share, f'step {self._done}')

    def _share_of_time(self) -> float:
        if self._deadline is None:
            return 0.0
        time_given = max(self._deadline - self._started, 1e-9)
        return (time.monotonic() - self._started) / time_given
