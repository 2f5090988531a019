"""Where the time went: named sections of a run, told in one line at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar('Item')


class Stopwatch:
    """Adds up the time spent in named sections since it was made.

    Sections may be entered many times. While an inner section runs the outer one stands still, so
    the shares add up to the whole. `summary` calls what lies in no section 'other'.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._start = self._since = clock()
        self._open: list[str] = []
        self.seconds: dict[str, float] = {}

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Count the time inside the `with` block under this name."""
        self._book()
        self._open.append(name)
        try:
            yield
        finally:
            self._book()
            self._open.pop()

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on, counting the time it takes to get each of them under this name."""
        iterator = iter(items)
        while True:
            with self.section(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    @property
    def total(self) -> float:
        """Seconds since the stopwatch was made."""
        return self._clock() - self._start

    def summary(self) -> str:
        """Such as '2 min 05 s: reading 40 %, decoding 35 %, writing 25 %', the largest first."""
        self._book()
        total = self.total
        shares = {**self.seconds, 'other': total - sum(self.seconds.values())}
        ranked = sorted(shares.items(), key=lambda item: -item[1])
        parts = [f'{name} {100 * s / total:.0f} %' for name, s in ranked if s >= 0.005 * total > 0]
        return f'{format_duration(total)}: {", ".join(parts)}' if parts else format_duration(total)

    def _book(self) -> None:
        """Credit the time since the last change to the section that is open."""
        now = self._clock()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now


def format_duration(seconds: float) -> str:
    """'4.2 s', '2 min 05 s', '1 h 03 min'."""
    if seconds < 59.95:
        return f'{seconds:.1f} s'
    whole = round(seconds)
    if whole < 3600:
        return f'{whole // 60} min {whole % 60:02d} s'
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min'
