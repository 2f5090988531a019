"""Which fixes to believe, and whether the robot is localized.

A fix is accepted when
1. the network is sure of it: its predicted standard deviations are below a limit, and
2. at least half of the latest fixes agree with it: each of them, carried on to now by odometry,
   comes out near it. Odometry drifts slowly, so over a second or two it tells a jump of the
   network from a motion.

Rejected fixes stay in the comparison. So one outlier is outvoted, while a robot that was carried
to another place is believed once half of the window has seen that place. Without odometry only 1
counts.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

import numpy as np

from posemap_ros.node.frames import distance, inverse


class State(Enum):
    """How well the robot is localized."""

    UNINITIALIZED = 'uninitialized'  # no fix was ever accepted
    LOCALIZED = 'localized'  # the latest fix and at least half of the window were
    UNCERTAIN = 'uncertain'  # some of the window were
    LOST = 'lost'  # none of the window was, or none for a while


@dataclass(frozen=True)
class Limits:
    """Up to where a fix is believed; metres and degrees."""

    sigma_translation: float
    sigma_rotation: float
    disagreement_translation: float
    disagreement_rotation: float


class Gate:
    """Judges fixes one after the other, over a window of the latest ones."""

    def __init__(self, window: int) -> None:
        self._seen: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=window)
        self._accepted: deque[bool] = deque(maxlen=window)
        self._initialized = False

    def clear(self) -> None:
        """Start anew: the next fix that the network is sure of is believed."""
        self._seen.clear()
        self._accepted.clear()
        self._initialized = False

    def judge(
        self,
        T_map_base: np.ndarray,
        T_odom_base: np.ndarray | None,
        sigma_translation: float,
        sigma_rotation: float,
        limits: Limits,
    ) -> str:
        """Return '' when the fix is accepted, else a sentence that says why not."""
        objection = ''
        if not sigma_translation <= limits.sigma_translation:  # also true for NaN
            objection = (
                f'the network expects an error of {sigma_translation:.2f} m, '
                f'more than max_sigma_translation ({limits.sigma_translation:g} m)'
            )
        elif not sigma_rotation <= limits.sigma_rotation:
            objection = (
                f'the network expects an error of {sigma_rotation:.1f} deg, '
                f'more than max_sigma_rotation ({limits.sigma_rotation:g} deg)'
            )
        elif T_odom_base is not None:
            objection = self._vote(T_map_base, T_odom_base, limits)
            self._seen.append((T_map_base, T_odom_base))
        self._accepted.append(not objection)
        self._initialized |= not objection
        return objection

    @property
    def state(self) -> State:
        """The state after the latest fix. That fixes stopped coming is for the caller to see."""
        if not self._initialized:
            return State.UNINITIALIZED
        if not any(self._accepted):
            return State.LOST
        if self._accepted[-1] and 2 * sum(self._accepted) >= len(self._accepted):
            return State.LOCALIZED
        return State.UNCERTAIN

    def _vote(self, T_map_base: np.ndarray, T_odom_base: np.ndarray, limits: Limits) -> str:
        metres, degrees, agree = [], [], 0
        for T_map_then, T_odom_then in self._seen:
            T_map_predicted = T_map_then @ inverse(T_odom_then) @ T_odom_base
            metre, degree = distance(T_map_predicted, T_map_base)
            metres.append(metre)
            degrees.append(degree)
            agree += (
                metre <= limits.disagreement_translation and degree <= limits.disagreement_rotation
            )
        if 2 * agree >= len(self._seen):
            return ''
        return (
            f'only {agree} of the last {len(self._seen)} fixes agree with it; by odometry it is '
            f'{np.median(metres):.2f} m and {np.median(degrees):.1f} deg from them'
        )
