"""The curves are those of the errors."""

import numpy as np
import pytest
from evaluations import make_evaluation

from posemap_ros.evaluation.report.curves import error_figure, recall_figure, spread_figure


def test_recall_by_hand():
    evaluation = make_evaluation(np.array([0.3, 0.1, 0.2, 0.4]))
    metres, degrees = recall_figure(evaluation, None).axes
    x, y = metres.lines[-1].get_data()
    np.testing.assert_allclose(x, [0, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(y, [0, 25, 50, 75, 100])
    assert metres.lines[-1].get_drawstyle() == 'steps-post'
    assert 'm' in metres.get_xlabel() and 'deg' in degrees.get_xlabel()


def test_the_nearest_image_has_a_curve_of_its_own():
    evaluation = make_evaluation(np.array([0.3, 0.1]))
    metres, degrees = recall_figure(evaluation, evaluation.T_true).axes
    for axes in (metres, degrees):
        curve = {line.get_label(): line for line in axes.lines}['nearest image']
        np.testing.assert_allclose(curve.get_xdata(), 0, atol=1e-6)  # it was given the truth


def test_errors_over_frames_and_their_predicted_bound():
    shifts = np.array([0.05, 0.15, 0.1])
    metres, _ = error_figure(make_evaluation(shifts, sigma_m=0.2)).axes
    error, median = metres.lines[:2]
    np.testing.assert_allclose(error.get_ydata(), shifts)
    np.testing.assert_allclose(median.get_ydata(), 0.1)
    (bound,) = metres.collections
    # 90 % quantile of chi-squared with 3 degrees of freedom: 6.2514
    top = max(vertex[1] for vertex in bound.get_paths()[0].vertices)
    assert top == pytest.approx(0.2 * 6.2514**0.5, rel=1e-3)


def test_predicted_against_true():
    shifts = np.array([0.05, 0.15, 0.1])
    metres, degrees = spread_figure(make_evaluation(shifts, sigma_m=0.2)).axes
    np.testing.assert_allclose(
        metres.collections[0].get_offsets(), np.stack([[0.2] * 3, shifts], axis=1)
    )
    np.testing.assert_allclose(degrees.collections[0].get_offsets()[:, 0], 2.0)
