"""How often things happen and how long they take, for diagnostics."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_RATE_WINDOW = 5.0  # seconds
_MOST_EVENTS = 1000
_TIMES_KEPT = 30


class Rate:
    """How often something happened over the last five seconds of wall time, in Hz."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MOST_EVENTS)

    def tick(self) -> None:
        """It happened."""
        self._times.append(time.monotonic())

    def __call__(self) -> float:
        since = time.monotonic() - _RATE_WINDOW
        return sum(when > since for when in tuple(self._times)) / _RATE_WINDOW


class Stopwatches:
    """How long each of some stages took of late."""

    def __init__(self, *stages: str) -> None:
        self._times = {stage: deque[float](maxlen=_TIMES_KEPT) for stage in stages}

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Measure what is done inside."""
        start = time.perf_counter()
        yield
        self._times[stage].append(1e3 * (time.perf_counter() - start))

    def mean_ms(self) -> dict[str, float]:
        """Milliseconds of the stages that ran, means over the latest times."""
        taken = {stage: tuple(times) for stage, times in self._times.items()}
        return {stage: sum(times) / len(times) for stage, times in taken.items() if times}
