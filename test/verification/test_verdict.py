"""What is believed, and what is said where it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from posemap_ros.verification.calibration import Calibration
from posemap_ros.verification.verdict import Evidence, objection

GOOD = Evidence(120.0, 50, 60, 0.01, 0.3, True)
CALIBRATION = Calibration(support_agreeing=5.0, support_alone=10.0)


def test_a_pose_that_landmarks_support_all_over_the_image_is_believed():
    assert objection(GOOD, CALIBRATION, 1.0) == ''


def test_nothing_at_all_is_no_support():
    nothing = Evidence(0.0, 0, 0, 0.0, 0.0, True)
    assert nothing.share == 0 and objection(nothing, CALIBRATION, 1.0)


@pytest.mark.parametrize(
    'change',
    [
        {'cells': 9},
        {'inliers': 8.0},
        {'cells': 14, 'cells_expected': 90},
        {'sigma_m': 0.2},
        {'sigma_deg': 5.0},
    ],
)
def test_one_weakness_is_enough(change):
    assert objection(replace(GOOD, **change), CALIBRATION, 1.0)


def test_where_nothing_agrees_more_is_asked():
    some = replace(GOOD, cells=20, cells_expected=50)
    assert objection(some, CALIBRATION, 1.0) == ''
    alone = objection(replace(some, agrees=False), CALIBRATION, 1.0)
    assert 'neither the estimate nor the last verified pose is near' in alone
    assert objection(replace(GOOD, agrees=False), CALIBRATION, 1.0) == ''


def test_where_things_are_farther_away_than_in_a_room_less_is_sure_enough():
    outdoors = replace(GOOD, sigma_m=0.15)
    assert objection(outdoors, CALIBRATION, 1.0)
    assert objection(outdoors, CALIBRATION, 5.0) == ''
    assert objection(replace(GOOD, sigma_m=0.05), CALIBRATION, 0.5)
