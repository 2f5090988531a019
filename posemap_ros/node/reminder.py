"""Log messages that are worth saying, but not thirty times a second."""

from __future__ import annotations

import re
import time

_SECONDS = 10.0


class Reminder:
    """Tells whether to say a sentence: at once, and again only after ten seconds of wall time.

    Sentences that differ in their figures only are the same one. rclpy's throttling goes by the
    line of code instead, and would hide the second of two different problems.
    """

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def is_due(self, sentence: str) -> bool:
        """Whether to say it now; if so, it counts as said."""
        kind = re.sub(r'[\d.]+', '#', sentence)
        now = time.monotonic()
        if now - self._said.get(kind, -_SECONDS) < _SECONDS:
            return False
        self._said[kind] = now
        return True
