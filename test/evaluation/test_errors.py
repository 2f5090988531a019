from pathlib import Path

import numpy as np
import pytest

from posemap_ros.dataset import PosedFrame
from posemap_ros.evaluation.errors import (
    Evaluation,
    rotation_error_deg,
    summarize,
    translation_error_m,
)
from posemap_ros.localizer import Estimate


def turned(axis, degrees):
    """Rodrigues' formula, in 4x4."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    K = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    T = np.eye(4)
    T[:3, :3] += np.sin(angle) * K + (1 - np.cos(angle)) * K @ K
    return T


def test_translation_error_is_the_distance_of_the_positions():
    T = np.tile(np.eye(4), (2, 1, 1))
    T[0, :3, 3] = (3, 4, 0)
    np.testing.assert_allclose(translation_error_m(T, np.eye(4)), [5, 0])


@pytest.mark.parametrize('degrees', [0, 1e-9, 1e-4, 1, 45, 90, 179, 179.9999, 180])
@pytest.mark.parametrize('axis', [(0, 0, 1), (1, -2, 0.5)])
def test_rotation_error_keeps_its_digits_at_every_angle(axis, degrees):
    start = turned((3, 1, -2), 77)
    error = rotation_error_deg(start @ turned(axis, degrees), start)
    assert error == pytest.approx(degrees, rel=1e-12, abs=1e-13)


def test_rotation_error_is_the_same_both_ways():
    a, b = turned((1, 2, 3), 20), turned((3, -1, 0), 50)
    assert rotation_error_deg(a, b) == pytest.approx(rotation_error_deg(b, a))


def test_summary_by_hand():
    translation = np.array([0.01, 0.04, 0.06, 0.20, 1.00])
    rotation = np.array([1.0, 6.0, 2.0, 9.0, 3.0])
    assert summarize(translation, rotation) == {
        'frames': 5,
        'median_translation_m': pytest.approx(0.06),
        'median_rotation_deg': pytest.approx(3.0),
        'p90_translation_m': pytest.approx(0.20 + 0.6 * 0.80),  # between ranks 4 and 5
        'p90_rotation_deg': pytest.approx(6.0 + 0.6 * 3.0),
        'recall_5cm_5deg': pytest.approx(1 / 5),
        'recall_10cm_5deg': pytest.approx(2 / 5),
        'recall_25cm_10deg': pytest.approx(4 / 5),
    }


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match='no frame'):
        summarize(np.zeros(0), np.zeros(0))


def test_nan_is_refused_rather_than_summarized():
    with pytest.raises(ValueError, match='NaN'):
        summarize(np.array([0.1, np.nan]), np.array([1.0, 1.0]))


def test_errors_of_different_length_are_refused():
    with pytest.raises(ValueError, match='shapes'):
        summarize(np.zeros(3), np.zeros(2))


def test_an_evaluation_summarizes_its_frames():
    frames = tuple(PosedFrame(str(i), Path(), turned((0, 0, 1), 10 * i)) for i in range(3))
    covariance = np.diag([0.04, 0.04, 0.04, *3 * [np.radians(3) ** 2]])
    estimates = []
    for i, frame in enumerate(frames):
        T = frame.T_world_cam @ turned((1, 0, 0), i)
        T[:3, 3] += (0, 0.1 * i, 0)
        estimates.append(Estimate(T, covariance, 20.0 + i, np.ones(1, np.float32)))

    evaluation = Evaluation(frames, tuple(estimates), revision=4)

    np.testing.assert_allclose(evaluation.translation_m, [0, 0.1, 0.2], atol=1e-15)
    np.testing.assert_allclose(evaluation.rotation_deg, [0, 1, 2], atol=1e-12)
    np.testing.assert_allclose(evaluation.sigma_translation_m, 0.2)
    np.testing.assert_allclose(evaluation.sigma_rotation_deg, 3.0)
    assert evaluation.summary() == {
        **summarize(evaluation.translation_m, evaluation.rotation_deg),
        'ms_per_frame': 21.0,
        'revision': 4,
    }
