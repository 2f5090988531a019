"""What follows from what speaks for and against a pose."""

from posemap_ros.node.state import State, StateTracker

LOST_AFTER = 0.8
FOR = 'for'


def state_after(*events: str | float, decisive: bool = True) -> State:
    """Of images that confirm the pose, and of those that speak against it, by their stamps."""
    tracker = StateTracker()
    for event in events:
        if event == FOR:
            tracker.speaks_for()
        else:
            tracker.speaks_against(event, decisive)
    return tracker.state(LOST_AFTER)


def test_nothing_is_known_until_something_speaks_for_a_pose():
    assert state_after() is State.UNINITIALIZED
    assert state_after(*map(float, range(9))) is State.UNINITIALIZED
    assert state_after(0.0, FOR) is State.LOCALIZED


def test_one_outlier_is_no_news():
    assert state_after(FOR, 9.0) is State.LOCALIZED


def test_two_outliers_long_after_the_last_verdict_are_not_the_end():
    assert state_after(FOR, 9.0, 9.03) is State.UNCERTAIN


def test_uncertain_then_lost_then_found_at_once():
    assert state_after(FOR, 0.3, 0.6) is State.UNCERTAIN
    assert state_after(FOR, 0.3, 0.6, 1.2) is State.LOST
    assert state_after(FOR, 0.3, 0.6, 1.2, FOR) is State.LOCALIZED
    assert state_after(FOR, 0.3, 0.6, 1.2, FOR, 1.3, 1.4) is State.UNCERTAIN


def test_late_verdicts_on_older_images_do_not_turn_time_back():
    assert state_after(FOR, 0.9, 1.2, 0.3) is State.LOST


def test_what_is_not_decisive_makes_nobody_lost():
    assert state_after(FOR, 0.3, 0.6, 1.2, decisive=False) is State.UNCERTAIN
