"""How well the robot is localized, by what speaks for and against it. No ROS in here."""

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


class StateTracker:
    """Follows the state by what speaks for and against where the robot is believed to be."""

    def __init__(self) -> None:
        self._confirmed = False
        self._against = 0
        self._first_against = self._last_against = 0.0
        self._decisive = False

    def speaks_for(self, stamp: float) -> None:
        """An image of this time in seconds confirmed the pose.

        What newer images say stands: verdicts take their time, and the camera may have been
        covered meanwhile.
        """
        self._confirmed = True
        if stamp >= self._first_against:
            self._against, self._decisive = 0, False

    def speaks_against(self, stamp: float, decisive: bool = True) -> None:
        """An image, of this time in seconds, did not show what it should, or nothing at all.

        Where none of those that do so is decisive, the robot is not lost for them.
        """
        if self._against == 0:
            self._first_against = self._last_against = stamp
        self._first_against = min(self._first_against, stamp)
        self._last_against = max(self._last_against, stamp)
        self._against += 1
        self._decisive |= decisive

    def state(self, lost_after: float) -> State:
        """`lost_after`: seconds of images that speak against the pose until the robot is lost."""
        if not self._confirmed:
            return State.UNINITIALIZED
        if self._against < _NEWS:
            return State.LOCALIZED
        if not self._decisive or self._last_against - self._first_against < lost_after:
            return State.UNCERTAIN
        return State.LOST
