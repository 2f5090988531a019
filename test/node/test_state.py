"""What follows from evidence."""

from posemap_ros.node.state import Evidence, State

LOST_AFTER = 0.8


def state_after(*events: tuple[str, float]) -> State:
    evidence = Evidence()
    for what, stamp in events:
        {'for': evidence.speaks_for, 'against': evidence.speaks_against}[what](stamp)
    return evidence.state(LOST_AFTER)


def test_nothing_is_known_until_something_speaks_for_a_pose():
    assert state_after() is State.UNINITIALIZED
    assert state_after(*(('against', t) for t in range(9))) is State.UNINITIALIZED
    assert state_after(('against', 0.0), ('for', 0.1)) is State.LOCALIZED


def test_one_outlier_is_no_news():
    assert state_after(('for', 0.0), ('against', 9.0)) is State.LOCALIZED


def test_uncertain_then_lost_then_found_at_once():
    events = [('for', 0.0), ('against', 0.3), ('against', 0.6)]
    assert state_after(*events) is State.UNCERTAIN
    events.append(('against', 0.9))
    assert state_after(*events) is State.LOST
    events.append(('for', 1.0))
    assert state_after(*events) is State.LOCALIZED


def test_late_verdicts_on_older_images_do_not_turn_time_back():
    events = [('for', 0.0), ('against', 0.9), ('against', 0.5)]
    assert state_after(*events) is State.LOST
