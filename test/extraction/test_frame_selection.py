import numpy as np
import pytest

from posemap_ros.extraction.frame_selection import FrameSelection, runs_between


def poses(*steps):
    """Poses (x in metres, heading in degrees)."""
    result = []
    for x, heading in steps:
        c, s = np.cos(np.radians(heading)), np.sin(np.radians(heading))
        result.append(np.array([[c, -s, 0, x], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    return result


def chosen(selection, path):
    return selection.choose(selection.runs(path))


def test_moving_or_turning_is_enough():
    path = poses((0, 0), (0.05, 0), (0.09, 4), (0.11, 0), (0.11, 4), (0.11, 6), (0.2, 6))
    assert chosen(FrameSelection(min_translation_m=0.1, min_rotation_deg=5), path) == [0, 3, 5]


def test_slow_motion_adds_up():
    path = poses(*[(0.026 * i, 0) for i in range(9)])
    assert chosen(FrameSelection(0.1, 3), path) == [0, 4, 8]


def test_without_thresholds_all_are_kept():
    assert chosen(FrameSelection(0, 0), poses((0, 0), (0, 0), (1, 0))) == [0, 1, 2]


def test_at_most():
    path = poses(*[(i, 0) for i in range(100)])
    assert chosen(FrameSelection(max_frames=3), path) == [0, 50, 99]
    assert chosen(FrameSelection(max_frames=1), path) == [0]
    assert chosen(FrameSelection(max_frames=200), path) == list(range(100))


def test_the_sharpest_of_each_run_unless_all_of_it_is_blurred():
    runs = runs_between([0, 3, 5], 6)
    assert runs == [range(0, 3), range(3, 5), range(5, 6)]
    sharpness = np.array([5.0, 9.0, 7.0, 1.0, 1.5, 8.0])
    blurred = sharpness < 2
    assert FrameSelection().choose(runs, sharpness, blurred) == [1, 5]
    assert FrameSelection().choose(runs) == [0, 3, 5]


@pytest.mark.parametrize(
    'wrong',
    [
        {'every': 0},
        {'max_frames': 0},
        {'min_translation_m': -1},
        {'min_rotation_deg': -1},
        {'min_image_motion': -1},
        {'min_image_motion': float('nan')},
    ],
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FrameSelection(**wrong)
