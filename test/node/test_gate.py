"""Which quick fixes are believed."""

import numpy as np
import pytest
from fixes import at, fix

from posemap_ros.node.gate import Gate, Limits

LIMITS = Limits(
    sigma_translation=0.5,
    sigma_rotation=10.0,
    disagreement_translation=0.3,
    disagreement_rotation=15.0,
    fix_timeout=3.0,
    lost_after=0.8,
)


def judge(gate: Gate, pose: np.ndarray, odometry: np.ndarray | None, sigma=(0.1, 1.0)) -> str:
    return gate.judge(fix(pose, odometry, sigma), LIMITS)


@pytest.mark.parametrize(
    ('sigma', 'named'),
    [
        ((0.6, 1.0), 'max_sigma_translation'),
        ((0.1, 11.0), 'max_sigma_rotation'),
        ((np.nan, 1.0), 'max_sigma_translation'),
        ((0.1, np.nan), 'max_sigma_rotation'),
    ],
)
def test_an_unsure_fix_is_rejected(sigma, named):
    gate = Gate(window=4)
    assert named in judge(gate, at(0), at(0), sigma)
    assert not judge(gate, at(0), at(0))


def test_motion_that_odometry_knows_is_no_jump():
    gate = Gate(window=4)
    # 2 m a fix; odometry has another origin and heading.
    origin = at(-30, 90)
    for i in range(6):
        assert not judge(gate, origin @ at(2.0 * i), at(2.0 * i))


@pytest.mark.parametrize('jump', [at(0.5), at(0, 20)])
def test_one_outlier_is_rejected_and_forgotten(jump):
    gate = Gate(window=4)
    for _ in range(4):
        judge(gate, at(0), at(0))
    assert 'of the last 4 fixes agree' in judge(gate, jump, at(0))
    assert not judge(gate, at(0), at(0))


def test_a_carried_robot_is_believed_after_half_a_window():
    gate = Gate(window=4)
    for _ in range(4):
        judge(gate, at(0), at(0))
    verdicts = [bool(judge(gate, at(50), at(0))) for _ in range(4)]
    assert verdicts == [True, True, False, False]


def test_without_odometry_the_predicted_error_decides():
    gate = Gate(window=4)
    assert not judge(gate, at(0), None)
    assert not judge(gate, at(50), None)
    assert judge(gate, at(50), None, (9.0, 1.0))


def test_clear_forgets_the_history():
    gate = Gate(window=4)
    for _ in range(4):
        judge(gate, at(0), at(0))
    gate.clear()
    assert not judge(gate, at(50), at(0))
