"""What the third act must show: a robot that says when it is lost, and is found again.

The times are from when an image was published to when the node's answer to it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .covered_and_carried import CARRIED, COVERED
from .viewer import Fix, Play

LOST_WITHIN_S, FOUND_WITHIN_S = 1.0, 2.0
FALSE_M, FALSE_DEG = 0.25, 10.0


@dataclass(frozen=True)
class Episode:
    """What came of one thing that was done to the robot; None: it never happened."""

    what: str
    blind_s: float  # for which there was nothing to see
    lost_s: float | None  # from when it was done until the node said 'lost'
    found_s: float | None  # from when there was something to see to the first pose that is true
    false_poses: int  # from when it was done until the robot was found

    def __str__(self) -> str:
        lost, found = 'not called lost', 'not found again'
        if self.lost_s is not None:
            lost = f'lost after {self.lost_s:.2f} s'
        elif self.found_s is not None:
            lost = 'not called lost before it was found'
        if self.found_s is not None:
            found = f'found again after {self.found_s:.2f} s'
        false = f'{self.false_poses} false poses' if self.false_poses else 'no false pose'
        return f'{self.what}: {lost}, {found}, {false} in between'


def episodes(play: Play) -> list[Episode]:
    """Of one play of `covered_and_carried`."""
    first = min(play.sent)

    def image_at(seconds: float) -> int:
        """The stamp of the first image from then on."""
        return min(stamp for stamp in play.sent if stamp - first >= round(1e9 * seconds))

    covered, seen, carried = map(image_at, (*COVERED, CARRIED[0]))
    lasted, skipped = COVERED[1] - COVERED[0], CARRIED[1] - CARRIED[0]
    return [
        episode(f'camera covered for {lasted:.0f} s', play, covered, seen, carried),
        episode(f'robot carried to where it was {skipped:.0f} s later', play, carried, carried),
    ]


def episode(what: str, play: Play, done: int, visible: int, until: int | None = None) -> Episode:
    """What the node said after something was done to the robot.

    Args:
        what: in words.
        play: of the drive.
        done, visible, until: stamps of the first images on which it shows, that show something,
            and on which the next thing shows.
    """
    until_ns = max(play.sent.values()) + 10**9 if until is None else play.sent[until]
    fixes = [f for f in play.fixes if f.stamp_ns >= done and f.arrived_ns < until_ns]
    found = next((f for f in fixes if f.stamp_ns >= visible and not is_false(f)), None)
    found_ns = until_ns if found is None else found.arrived_ns
    lost_ns = next(
        (at for at, state in play.states if state == 'lost' and play.sent[done] <= at < found_ns),
        None,
    )
    return Episode(
        what,
        1e-9 * (visible - done),
        None if lost_ns is None else 1e-9 * (lost_ns - play.sent[done]),
        None if found is None else 1e-9 * (found_ns - play.sent[visible]),
        int(np.sum([is_false(f) for f in fixes if f.arrived_ns < found_ns])),
    )


def is_false(fix: Fix) -> bool:
    """A pose that nobody should have been given."""
    return fix.translation_m > FALSE_M or fix.rotation_deg > FALSE_DEG


def complaints(e: Episode) -> list[str]:
    """Sentences about what is not as it should be."""
    wrong = []
    # Who is found before he is lost has nothing to say.
    at_once = e.found_s is not None and e.blind_s + e.found_s <= LOST_WITHIN_S
    if not at_once and (e.lost_s is None or e.lost_s > LOST_WITHIN_S):
        wrong.append(f'{e.what}: the node should have said "lost" within {LOST_WITHIN_S:g} s')
    if e.found_s is None or e.found_s > FOUND_WITHIN_S:
        wrong.append(f'{e.what}: it should have been found within {FOUND_WITHIN_S:g} s')
    if e.false_poses:
        wrong.append(
            f'{e.what}: {e.false_poses} poses in between were off by more than '
            f'{FALSE_M:g} m or {FALSE_DEG:g} deg'
        )
    return wrong
