"""A thread that handles the newest thing offered to it, so that nobody has to wait for it.

ROS callbacks run on the one thread of a SingleThreadedExecutor and must return at once. What
takes longer than a moment is offered to a worker. What it did not get to before something newer
came is dropped: an old image is worth nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar('T')

_END_SECONDS = 5.0  # longer than one image takes on a slow machine


class Worker(Generic[T]):
    """Calls ``handle(item)`` in a thread of its own, with the newest item that was offered.

    Args:
        name: of the thread, for debuggers.
        handle: returns after how many seconds it wants to be called again, with None, if nothing
            new comes before; or None, to wait for the next item.
        on_error: told whatever ``handle`` raises; the item is lost, the worker goes on.
        niceness: of the thread against others of the machine; above 0, it steps back.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[T | None], float | None],
        on_error: Callable[[Exception], None],
        niceness: int = 0,
    ) -> None:
        self._handle, self._on_error, self._niceness = handle, on_error, niceness
        self._changed = threading.Condition()
        self._newest: T | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: T) -> bool:
        """Let the worker handle `item` next; whether one that still waited is dropped for it."""
        with self._changed:
            dropped = self._newest is not None
            self._newest = item
            self._changed.notify()
        return dropped

    def stop(self) -> None:
        """Let it finish what it is at, and end."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        if self._niceness:
            with suppress(OSError, AttributeError):  # Linux sets it for a thread
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)
        wait: float | None = None
        while True:
            with self._changed:
                if self._newest is None and not self._stopped:
                    self._changed.wait(wait)
                if self._stopped:
                    return
                item, self._newest = self._newest, None
                if item is None and wait is None:
                    continue  # woken for nothing
            try:
                wait = self._handle(item)
            except Exception as error:  # whatever one item did must not end the others
                wait = None
                self._on_error(error)
