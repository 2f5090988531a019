"""What is believed of where the robot is. No ROS in here.

Two kinds of evidence come in. *Quick* fixes are the network's, for every image: some centimetres
to decimetres off, and now and then wrong. *Verified* ones were matched against the place's
landmarks and judged; they are right to centimetres, but come later and not for every image. The
newest verified one, carried on by odometry, is the anchor: quick fixes are judged against it, and
the better of the two is the answer. Where nothing is verified, because the environment has no
landmarks or the user does not want it, the gate judges the quick fixes.
"""

from __future__ import annotations

from posemap_ros.node.fix import Fix
from posemap_ros.node.frames import distance
from posemap_ros.node.gate import Gate, Limits
from posemap_ros.node.state import State, StateTracker

_SIGMAS = 3.0


class Belief:
    """Weighs fixes one after the other. Not thread-safe.

    Args:
        window: how many quick fixes back a new one is compared, where nothing is verified.
    """

    def __init__(self, window: int) -> None:
        self._gate = Gate(window)
        self.clear()

    def clear(self) -> None:
        """Start anew, as after the robot was carried or time went back."""
        self._gate.clear()
        self._tracker = StateTracker()
        self._anchor: Fix | None = None
        self._challenger: Fix | None = None

    def state(self, lost_after: float) -> State:
        """After the latest image. That images stopped coming is for the caller to see."""
        return self._tracker.state(lost_after)

    def anchor_at(self, fix: Fix, limits: Limits) -> Fix | None:
        """The newest verified fix, carried on to the moment of another one; None without one that
        is new enough, and while lost: nobody knows what was done to the robot meanwhile.
        """
        if self._anchor is None or self.state(limits.lost_after) is State.LOST:
            return None
        if abs(fix.stamp - self._anchor.stamp) > limits.fix_timeout:
            return None
        return self._anchor.carried(fix)

    def weigh(self, quick: Fix, limits: Limits, verifying: bool) -> tuple[Fix | None, str]:
        """The best that is known for the moment of a quick fix; or None, and a sentence why.

        Args:
            verifying: whether quick fixes have to wait for something verified.
        """
        anchor = self.anchor_at(quick, limits)
        objection = self._gate.judge(quick, limits)
        if anchor is not None:
            objection = _contradiction(quick, anchor, limits)
        elif verifying:
            return None, objection or 'no verified pose is new enough to judge it by'
        if objection:
            # In some corners the network is always wrong; what was verified there still holds.
            self._tracker.speaks_against(quick.stamp, decisive=anchor is None)
            return None, objection
        if not verifying:
            self._tracker.speaks_for(quick.stamp)
        if anchor is not None and anchor.sigma_translation_m <= quick.sigma_translation_m:
            return anchor, ''
        return quick, ''

    def verified(self, fix: Fix, limits: Limits) -> str:
        """Take a verified fix; returns '' or a sentence why it has to wait for another one.

        A verdict is hardly ever wrong, and neither is odometry over some seconds. Where the two
        contradict each other, the robot was carried, or something was mistaken: the next verified
        fix decides.
        """
        anchor = self.anchor_at(fix, limits)
        if anchor is not None:
            objection = _contradiction(fix, anchor, limits)
            doubted = self._challenger is None or _contradiction(
                fix, self._challenger.carried(fix), limits
            )
            if objection and doubted:
                self._challenger = fix
                self._tracker.speaks_against(fix.stamp)
                return f'{objection}; waiting for another that agrees with it'
        self._anchor, self._challenger = fix, None
        self._tracker.speaks_for(fix.stamp)
        return ''

    def not_verified(self, stamp: float) -> None:
        """An image did not match the landmarks, or shows nothing that could."""
        self._tracker.speaks_against(stamp)


def _contradiction(fix: Fix, anchor: Fix, limits: Limits) -> str:
    """Why a fix cannot be true if the anchor is, given how far each may be off; or ''."""
    metres, degrees = distance(fix.T_map_base, anchor.T_map_base)
    far = limits.disagreement_translation + _SIGMAS * (
        fix.sigma_translation_m + anchor.sigma_translation_m
    )
    turned = limits.disagreement_rotation + _SIGMAS * (
        fix.sigma_rotation_deg + anchor.sigma_rotation_deg
    )
    if metres <= far and degrees <= turned:
        return ''
    return (
        f'it is {metres:.2f} m and {degrees:.1f} deg from the last verified pose as odometry '
        'carries it on'
    )
