"""What the third act is judged by, on plays that were made up."""

import numpy as np
import pytest

pytest.importorskip('rclpy')

from demo.covered_and_carried import CARRIED, COVERED  # noqa: E402
from demo.lost_and_found import complaints, episodes  # noqa: E402
from demo.viewer import Fix, Play  # noqa: E402

MS, S = 10**6, 10**9


def off_by(metres, degrees=0.0):
    T = np.eye(4)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    T[:2, :2], T[0, 3] = [[c, -s], [s, c]], metres
    return T


def made_up(states, error=lambda seconds: (0.02, 1.0), silent=(COVERED,)):
    """A play at 10 Hz: each image sent 15 ms after its stamp, each pose 30 ms after that, but none
    while the robot is `silent`. States are (seconds, state), said 30 ms after the image.
    """
    play = Play(images=210)
    for k in range(210):
        seconds, stamp = k / 10, 7 * S + k * 100 * MS
        play.sent[stamp] = sent = stamp + 15 * MS
        if not any(a <= seconds < b for a, b in silent):
            fix = Fix(stamp, sent + 30 * MS, 30.0, off_by(*error(seconds)), np.eye(4))
            play.fixes.append(fix)
    play.states = [(7 * S + round(at * S) + 45 * MS, state) for at, state in states]
    return play


AS_IT_SHOULD = [
    (0.1, 'localized'),
    (COVERED[0] + 0.2, 'uncertain'),
    (COVERED[0] + 0.8, 'lost'),
    (COVERED[1] + 0.1, 'localized'),
    (CARRIED[0] + 0.9, 'lost'),
    (CARRIED[0] + 1.5, 'localized'),
]
SILENT = (COVERED, (CARRIED[0], CARRIED[0] + 1.5))


def test_a_robot_that_says_lost_and_is_found():
    covered, carried = episodes(made_up(AS_IT_SHOULD, silent=SILENT))
    assert covered.lost_s == pytest.approx(0.83) and covered.found_s == pytest.approx(0.03)
    assert covered.blind_s == pytest.approx(COVERED[1] - COVERED[0])
    assert carried.lost_s == pytest.approx(0.93) and carried.found_s == pytest.approx(1.53)
    assert covered.false_poses == carried.false_poses == 0
    assert not complaints(covered) and not complaints(carried)


def test_a_robot_that_is_found_before_it_is_lost_has_nothing_to_say():
    # The end of the play is no answer.
    _, carried = episodes(made_up([*AS_IT_SHOULD[:4], (20.0, 'lost')]))
    assert carried.lost_s is None and carried.found_s < 0.1
    assert not complaints(carried)


def test_a_covered_camera_must_be_noticed():
    covered, _ = episodes(made_up([(0.1, 'localized')]))
    assert covered.lost_s is None and covered.found_s < 0.1
    [sentence] = complaints(covered)
    assert 'should have said "lost" within 1 s' in sentence


def test_lost_too_late_and_found_too_late():
    states = [(0.1, 'localized'), (COVERED[0] + 1.2, 'lost')]
    silent = ((COVERED[0], COVERED[1] + 2.5),)
    covered, _ = episodes(made_up(states, silent=silent))
    assert len(complaints(covered)) == 2


@pytest.mark.parametrize('error', [(0.3, 1.0), (0.01, 12.0)])
def test_false_poses_in_between_are_counted(error):
    def wrong_after_the_carrying(seconds):
        return error if CARRIED[0] <= seconds < CARRIED[0] + 0.45 else (0.02, 1.0)

    covered, carried = episodes(made_up(AS_IT_SHOULD[:4], wrong_after_the_carrying))
    assert covered.false_poses == 0 and carried.false_poses == 5
    assert '5 poses in between' in complaints(carried)[0]
    assert '5 false poses in between' in str(carried)


def test_a_robot_that_is_never_found():
    _, carried = episodes(made_up(AS_IT_SHOULD[:5], silent=(COVERED, (CARRIED[0], 99.0))))
    assert carried.found_s is None and 'not found again' in str(carried)
    assert any('found within 2 s' in sentence for sentence in complaints(carried))
