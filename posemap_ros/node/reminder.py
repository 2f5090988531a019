"""Log messages that are worth saying, but not thirty times a second."""

from __future__ import annotations

import re
import threading
import time

_SECONDS = 10.0
_MOST_SENTENCES = 20  # in that time


class Reminder:
    """Tells whether to say a sentence: at once, and again only after ten seconds of wall time.

    Sentences that differ in their figures only are the same one. rclpy's throttling goes by the
    line of code instead, and would hide the second of two different problems. Of very many
    different ones, only the first are said. Safe to call from several threads.
    """

    def __init__(self) -> None:
        self._said: dict[str, float] = {}  # in the last ten seconds
        self._lock = threading.Lock()

    def is_due(self, sentence: str) -> bool:
        """Whether to say it now; if so, it counts as said."""
        kind = re.sub(r'[\d.]+', '#', sentence)
        with self._lock:
            now = time.monotonic()
            self._said = {k: then for k, then in self._said.items() if now - then < _SECONDS}
            if kind in self._said or len(self._said) >= _MOST_SENTENCES:
                return False
            self._said[kind] = now
            return True
