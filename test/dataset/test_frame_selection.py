import numpy as np
import pytest

from posemap_ros.dataset.frame_selection import FrameSelection


def poses(*steps):
    """Poses (x in metres, heading in degrees)."""
    result = []
    for x, heading in steps:
        c, s = np.cos(np.radians(heading)), np.sin(np.radians(heading))
        result.append(np.array([[c, -s, 0, x], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    return result


def test_moving_or_turning_is_enough():
    chosen = FrameSelection(min_translation_m=0.1, min_rotation_deg=5).choose(
        poses((0, 0), (0.05, 0), (0.09, 4), (0.11, 0), (0.11, 4), (0.11, 6), (0.2, 6))
    )
    assert chosen == [0, 3, 5]


def test_slow_motion_adds_up():
    chosen = FrameSelection(0.1, 3).choose(poses(*[(0.026 * i, 0) for i in range(9)]))
    assert chosen == [0, 4, 8]


def test_without_thresholds_all_are_kept():
    assert FrameSelection(0, 0).choose(poses((0, 0), (0, 0), (1, 0))) == [0, 1, 2]


def test_every_nth_and_at_most():
    path = poses(*[(i, 0) for i in range(100)])
    assert FrameSelection(every=30).choose(path) == [0, 30, 60, 90]
    assert FrameSelection(max_frames=3).choose(path) == [0, 50, 99]
    assert FrameSelection(max_frames=1).choose(path) == [0]
    assert FrameSelection(max_frames=200).choose(path) == list(range(100))


@pytest.mark.parametrize(
    'wrong', [{'every': 0}, {'max_frames': 0}, {'min_translation_m': -1}, {'min_rotation_deg': -1}]
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FrameSelection(**wrong)
