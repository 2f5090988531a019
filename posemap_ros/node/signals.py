"""SIGINT and SIGTERM as something to look at, and not exceptions wherever a program happens to be.

rclpy's own handlers raise such exceptions, and shut the middleware down from a thread of their
own, at which a program that does the same a moment later fails.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

# How soon a program that spins looks at what a signal has set, while nothing else happens.
LOOK_SECONDS = 0.2


def on_signals(action: Callable[..., object] | signal.Handlers) -> None:
    """What SIGINT and SIGTERM do from now on."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, action)
