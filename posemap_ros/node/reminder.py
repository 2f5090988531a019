"""Log messages that are worth saying, but not thirty times a second."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

_SECONDS = 10.0


class Reminder:
    """Says a sentence at once, and again only after ten seconds of wall time.

    Sentences that differ in their figures only are the same one. rclpy's throttling goes by the
    line of code instead, and would hide the second of two different problems.
    """

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def __call__(self, say: Callable[[str], object], sentence: str) -> None:
        """Call ``say(sentence)``, unless it was said a moment ago."""
        kind = re.sub(r'[\d.]+', '#', sentence)
        now = time.monotonic()
        if now - self._said.get(kind, -_SECONDS) >= _SECONDS:
            self._said[kind] = now
            say(sentence)
