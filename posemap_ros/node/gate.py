"""Which quick fixes to believe: those of the network alone.

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

import numpy as np

from posemap_ros.node.fix import Fix
from posemap_ros.node.frames import distance


@dataclass(frozen=True)
class Limits:
    """Up to where a fix is believed; metres and degrees. And how long a verified one serves."""

    sigma_translation: float
    sigma_rotation: float
    disagreement_translation: float
    disagreement_rotation: float
    fix_timeout: float  # seconds
    lost_after: float  # seconds of images that speak against the pose


class Gate:
    """Judges fixes one after the other, over a window of the latest ones."""

    def __init__(self, window: int) -> None:
        self._seen: deque[Fix] = deque(maxlen=window)

    def clear(self) -> None:
        """Start anew: the next fix that the network is sure of is believed."""
        self._seen.clear()

    def judge(self, fix: Fix, limits: Limits) -> str:
        """Return '' when the fix is accepted, else a sentence that says why not."""
        objection = _spread(fix, limits)
        if not objection and fix.T_odom_base is not None:
            objection = self._vote(fix, limits)
            self._seen.append(fix)
        return objection

    def _vote(self, fix: Fix, limits: Limits) -> str:
        apart = [distance(seen.carried(fix).T_map_base, fix.T_map_base) for seen in self._seen]
        agree = sum(
            metres <= limits.disagreement_translation and degrees <= limits.disagreement_rotation
            for metres, degrees in apart
        )
        if 2 * agree >= len(apart):
            return ''
        metres, degrees = np.median(apart, axis=0)
        return (
            f'only {agree} of the last {len(apart)} fixes agree with it; by odometry it is '
            f'{metres:.2f} m and {degrees:.1f} deg from them'
        )


def _spread(fix: Fix, limits: Limits) -> str:
    if not fix.sigma_translation_m <= limits.sigma_translation:  # also true for NaN
        return (
            f'the network expects an error of {fix.sigma_translation_m:.2f} m, '
            f'more than max_sigma_translation ({limits.sigma_translation:g} m)'
        )
    if not fix.sigma_rotation_deg <= limits.sigma_rotation:
        return (
            f'the network expects an error of {fix.sigma_rotation_deg:.1f} deg, '
            f'more than max_sigma_rotation ({limits.sigma_rotation:g} deg)'
        )
    return ''
