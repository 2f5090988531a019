"""The curves are those of the errors."""

from dataclasses import replace

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


def test_others_have_curves_by_their_names():
    one, other = make_evaluation(np.array([0.3, 0.1])), make_evaluation(np.array([0.2, 0.4]))
    recall, _ = recall_figure(one, None, 'one', {'other': other}).axes
    curves = {line.get_label(): line.get_xdata() for line in recall.lines}
    np.testing.assert_allclose(curves['one'], [0, 0.1, 0.3])
    np.testing.assert_allclose(curves['other'], [0, 0.2, 0.4])
    assert recall.get_xlim()[1] > 0.4
    metres, degrees = error_figure(one, 'one', {'other': other}).axes
    errors = {line.get_label(): line.get_ydata() for line in metres.lines}
    np.testing.assert_allclose(errors['other'], [0.2, 0.4])
    assert 'other' in {line.get_label() for line in degrees.lines}
    assert metres.get_ylim()[1] > 0.4 and not metres.collections  # no bound of one of them


def test_axes_are_in_the_unit_of_the_data():
    evaluation = replace(make_evaluation(np.array([0.3, 0.1])), unit='units')
    for figure in (error_figure(evaluation), recall_figure(evaluation, None)):
        labels = ' '.join(axes.get_xlabel() + axes.get_ylabel() for axes in figure.axes)
        assert '(units)' in labels and '(m)' not in labels
    assert 'axis (units)' in spread_figure(evaluation).axes[0].get_xlabel()
