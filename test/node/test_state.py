"""What follows from what speaks for and against a pose."""

from posemap_ros.node.state import State, StateTracker

LOST_AFTER = 0.8


def after(*events: tuple[str, float], decisive: bool = True) -> State:
    """Of images that speak for the pose (+) and against it (-), each with its stamp."""
    tracker = StateTracker()
    for sign, stamp in events:
        if sign == '+':
            tracker.speaks_for(stamp)
        else:
            tracker.speaks_against(stamp, decisive)
    return tracker.state(LOST_AFTER)


def against(*stamps: float) -> list[tuple[str, float]]:
    return [('-', stamp) for stamp in stamps]


def test_nothing_is_known_until_something_speaks_for_a_pose():
    assert after() is State.UNINITIALIZED
    assert after(*against(*range(9))) is State.UNINITIALIZED
    assert after(*against(0.0), ('+', 0.1)) is State.LOCALIZED


def test_one_outlier_is_no_news():
    assert after(('+', 0.0), *against(9.0)) is State.LOCALIZED


def test_two_outliers_long_after_the_last_verdict_are_not_the_end():
    assert after(('+', 0.0), *against(9.0, 9.03)) is State.UNCERTAIN


def test_uncertain_then_lost_then_found_at_once():
    assert after(('+', 0.0), *against(0.3, 0.6)) is State.UNCERTAIN
    lost = ('+', 0.0), *against(0.3, 0.6, 1.2)
    assert after(*lost) is State.LOST
    assert after(*lost, ('+', 1.3)) is State.LOCALIZED
    assert after(*lost, ('+', 1.3), *against(1.4, 1.5)) is State.UNCERTAIN


def test_late_verdicts_on_older_images_do_not_turn_time_back():
    assert after(('+', 0.0), *against(0.9, 1.2, 0.3)) is State.LOST


def test_a_late_verdict_for_the_pose_does_not_speak_for_what_came_after():
    covered = against(0.3, 0.6, 0.9)
    assert after(('+', 0.0), *covered, ('+', 0.2), *against(1.2)) is State.LOST
    assert after(('+', 0.0), *covered, ('+', 0.7), *against(1.2)) is State.LOCALIZED


def test_what_is_not_decisive_makes_nobody_lost():
    assert after(('+', 0.0), *against(0.3, 0.6, 1.2), decisive=False) is State.UNCERTAIN
