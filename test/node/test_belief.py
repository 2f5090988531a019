"""What is believed of quick and of verified fixes together."""

import numpy as np
from fixes import at, fix

from posemap_ros.node.belief import Belief
from posemap_ros.node.gate import Limits
from posemap_ros.node.state import State

LIMITS = Limits(
    sigma_translation=0.5,
    sigma_rotation=10.0,
    disagreement_translation=0.3,
    disagreement_rotation=15.0,
    fix_timeout=3.0,
    lost_after=0.8,
)
LOST_AFTER = LIMITS.lost_after
SURE = (0.01, 0.1)


def weigh(belief: Belief, pose, odometry=None, sigma=(0.1, 1.0), stamp=0.0, verifying=True):
    return belief.weigh(fix(pose, odometry, sigma, stamp), LIMITS, verifying)


def verify(belief: Belief, pose, odometry=None, stamp=0.0) -> str:
    return belief.verified(fix(pose, odometry, SURE, stamp), LIMITS)


def test_where_nothing_is_verified_the_gate_decides():
    belief = Belief(window=4)
    assert belief.state(LOST_AFTER) is State.UNINITIALIZED
    best, objection = weigh(belief, at(7), at(0), verifying=False)
    assert not objection
    np.testing.assert_array_equal(best.T_map_base, at(7))
    assert belief.state(LOST_AFTER) is State.LOCALIZED
    for i in range(1, 5):
        best, objection = weigh(belief, at(7 + 10 * i), at(0), stamp=0.4 * i, verifying=False)
        assert best is None
        assert 'fixes agree with it' in objection
    assert belief.state(LOST_AFTER) is State.LOST


def test_quick_fixes_wait_for_the_first_verified_one():
    belief = Belief(window=4)
    best, objection = weigh(belief, at(0), at(0))
    assert best is None
    assert 'no verified pose' in objection
    assert belief.state(LOST_AFTER) is State.UNINITIALIZED
    assert verify(belief, at(0.1), at(0)) == ''
    assert belief.state(LOST_AFTER) is State.LOCALIZED


def test_the_verified_fix_carried_on_by_odometry_is_the_answer():
    belief = Belief(window=4)
    verify(belief, at(0), at(5))
    best, objection = weigh(belief, at(1.2), at(6), stamp=0.5)
    assert not objection
    np.testing.assert_allclose(best.T_map_base, at(1), atol=1e-12)
    assert best.sigma_translation_m < 0.1


def test_without_odometry_the_quick_fix_soon_knows_better():
    belief = Belief(window=4)
    verify(belief, at(0))
    early, _ = weigh(belief, at(0.2), stamp=0.1)
    late, _ = weigh(belief, at(0.6), stamp=0.9)
    np.testing.assert_array_equal(early.T_map_base, at(0))
    np.testing.assert_array_equal(late.T_map_base, at(0.6))


def test_a_quick_fix_that_contradicts_the_anchor_is_no_answer():
    belief = Belief(window=4)
    verify(belief, at(0), at(0))
    best, objection = weigh(belief, at(2), at(0), stamp=0.1)
    assert best is None
    assert 'from the last verified pose' in objection
    # One that says itself how unsure it is contradicts nothing.
    best, objection = weigh(belief, at(2), at(0), sigma=(1.0, 5.0), stamp=0.2)
    assert not objection
    np.testing.assert_array_equal(best.T_map_base, at(0))


def test_a_network_that_is_wrong_in_a_corner_makes_nobody_lost_there():
    belief = Belief(window=4)
    verify(belief, at(0), at(0))
    for i in range(1, 20):
        weigh(belief, at(2), at(0), stamp=0.1 * i)
        assert belief.state(LOST_AFTER) in (State.LOCALIZED, State.UNCERTAIN)
    belief.not_verified(2.0)
    assert belief.state(LOST_AFTER) is State.LOST


def test_an_old_anchor_is_none():
    belief = Belief(window=4)
    verify(belief, at(0), at(0))
    assert weigh(belief, at(0), at(0), stamp=LIMITS.fix_timeout + 0.1)[0] is None


def test_a_carried_robot_is_believed_when_two_verdicts_agree():
    belief = Belief(window=4)
    verify(belief, at(0), at(0))
    assert 'waiting for another' in verify(belief, at(4), at(0), stamp=0.1)
    assert verify(belief, at(4.5), at(0.5), stamp=0.2) == ''
    best, _ = weigh(belief, at(4.6), at(0.6), stamp=0.3)
    np.testing.assert_allclose(best.T_map_base, at(4.6), atol=1e-12)


def test_one_mistaken_verdict_changes_nothing():
    belief = Belief(window=4)
    verify(belief, at(0), at(0))
    verify(belief, at(4), at(0), stamp=0.1)
    assert verify(belief, at(0), at(0), stamp=0.2) == ''
    assert 'waiting' in verify(belief, at(4), at(0), stamp=0.3)


def test_a_lost_robot_is_found_by_one_verdict_anywhere():
    belief = Belief(window=4)
    verify(belief, at(0), at(0))
    for i in range(1, 6):
        belief.not_verified(0.25 * i)
    # Asking for the state changes nothing; that it is lost counts by itself.
    assert weigh(belief, at(0), at(0), stamp=1.25)[0] is None
    assert belief.state(LOST_AFTER) is State.LOST
    assert verify(belief, at(4), at(0), stamp=1.3) == ''
    assert belief.state(LOST_AFTER) is State.LOCALIZED


def test_clear_forgets_all():
    belief = Belief(window=4)
    verify(belief, at(0), at(0))
    belief.clear()
    assert belief.state(LOST_AFTER) is State.UNINITIALIZED
    assert verify(belief, at(50), at(0)) == ''
