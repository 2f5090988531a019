"""How well the robot is localized, from the evidence for and against it. No ROS in here."""

from __future__ import annotations

from enum import Enum

# One image that tells nothing, or an outlier, is no news.
_NEWS = 2


class State(Enum):
    """How well the robot is localized."""

    UNINITIALIZED = 'uninitialized'  # nothing has spoken for a pose yet
    LOCALIZED = 'localized'
    UNCERTAIN = 'uncertain'  # the latest images speak against it
    LOST = 'lost'  # they have done so for a while, or none came


class Evidence:
    """Counts what speaks for and against where the robot is believed to be."""

    def __init__(self) -> None:
        self._last_for: float | None = None
        self._latest = 0.0
        self._against = 0

    def speaks_for(self, stamp: float) -> None:
        """An image confirmed the pose; stamps in seconds."""
        self._last_for, self._latest, self._against = stamp, stamp, 0

    def speaks_against(self, stamp: float) -> None:
        """An image did not show what it should, or nothing at all."""
        self._latest = max(self._latest, stamp)
        self._against += 1

    def state(self, lost_after: float) -> State:
        """`lost_after`: seconds of images that speak against the pose until the robot is lost."""
        if self._last_for is None:
            return State.UNINITIALIZED
        if self._against < _NEWS:
            return State.LOCALIZED
        if self._latest - self._last_for < lost_after:
            return State.UNCERTAIN
        return State.LOST
