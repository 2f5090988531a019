"""Which images can be placed in time. No ROS in here."""

from __future__ import annotations

# Stamps that go back by less are images out of order; by more, a bag that started again.
_OUT_OF_ORDER_SECONDS = 1.0


class FrameRefused(ValueError):
    """An image that cannot become a pose, with the reason as a sentence."""


class StampCheck:
    """Looks at the stamps of images one after the other."""

    def __init__(self) -> None:
        self._last_ns = 0

    def clear(self) -> None:
        """Time starts anew."""
        self._last_ns = 0

    def check(self, stamp_ns: int, now_ns: int, max_age: float) -> float:
        """Refuse an image that is unstamped, stale, from the future or out of order.

        Args:
            stamp_ns: of the image.
            now_ns: the node's time, which may be simulated; 0 before the first /clock.
            max_age: seconds that an image may be old or in the future; 0 for any.

        Returns:
            Seconds by which the stamps went back, because a recording starts again; else 0.

        Raises:
            FrameRefused: with the way out.
        """
        if stamp_ns <= 0:
            raise FrameRefused(
                'its stamp is zero or before that, so its pose could not be used with anything '
                'else: let the driver stamp its images'
            )
        if not now_ns:
            raise FrameRefused(
                'use_sim_time is true and nothing was published on /clock yet: start the '
                'simulation, or `ros2 bag play --clock`'
            )
        age = (now_ns - stamp_ns) * 1e-9
        if max_age and age > max_age:
            raise FrameRefused(
                f'it is {age:.1f} s old, more than max_image_age ({max_age:g} s): for a bag, play '
                'with --clock and set use_sim_time; for a live camera, look at its clock'
            )
        if max_age and age < -max_age:
            raise FrameRefused(
                f'it is {-age:.1f} s in the future: the clocks of the computers differ, or only '
                'one side uses simulated time'
            )
        back = (self._last_ns - stamp_ns) * 1e-9
        if 0 <= back <= _OUT_OF_ORDER_SECONDS:
            raise FrameRefused('it is not newer than the one before')
        self._last_ns = stamp_ns
        return max(0.0, back)
