"""The trajectory figure shows the positions that it was given, unmirrored and to scale."""

from dataclasses import replace

import numpy as np
import pytest
from evaluations import make_evaluation

from posemap_ros.evaluation.report.trajectories import _jumps, _view_axes, trajectory_figure
from posemap_ros.verification.verifier import Verification


def test_both_sides_show_true_and_estimated_positions_to_scale():
    evaluation = make_evaluation(np.linspace(0.0, 0.3, 24))
    figure = trajectory_figure(evaluation)
    top, side = figure.axes[:2]
    assert (top.get_xlabel(), top.get_ylabel()) == ('x (m)', 'y (m)')
    assert (side.get_xlabel(), side.get_ylabel()) == ('x (m)', 'z (m)')
    for axes, columns in ((top, [0, 1]), (side, [0, 2])):
        true, estimated = (line.get_xydata() for line in axes.lines)
        np.testing.assert_array_equal(true, evaluation.T_true[:, columns, 3])
        np.testing.assert_array_equal(estimated, evaluation.T_estimated[:, columns, 3])
        assert axes.get_aspect() == 1.0
        assert np.ptp(axes.get_xlim()) == pytest.approx(np.ptp(top.get_xlim()))


def test_verified_positions_and_landmarks_are_shown_too():
    evaluation = make_evaluation(np.full(4, 0.2))
    T_true = evaluation.T_true
    found = tuple(Verification(i != 1, '', T) for i, T in enumerate(T_true))
    landmarks = np.random.default_rng(0).uniform(-2, 2, (9000, 3))
    figure = trajectory_figure(replace(evaluation, verifications=found), landmarks)
    top, side = figure.axes[:2]
    for axes, columns in ((top, [0, 1]), (side, [0, 2])):
        (verified,) = (line for line in axes.lines if line.get_label() == 'verified')
        np.testing.assert_array_equal(verified.get_xydata(), T_true[[0, 2, 3]][:, columns, 3])
    (points,) = (c for c in top.collections if c.get_label() == 'landmarks')
    np.testing.assert_allclose(points.get_offsets(), landmarks[::3, :2])
    assert not [c for c in side.collections if c.get_label() == 'landmarks']


def test_landmarks_far_away_leave_the_trajectory_in_sight():
    evaluation = make_evaluation(np.full(8, 0.2))
    alone = np.ptp(trajectory_figure(evaluation).axes[0].get_xlim())
    far = np.random.default_rng(0).uniform(-1000, 1000, (100, 3))
    shown = np.ptp(trajectory_figure(evaluation, far).axes[0].get_xlim())
    assert alone < shown <= 3.001 * alone


def test_the_bar_holds_the_rotation_error_of_each_frame():
    turns = np.array([1.0, 2.0, 3.0, 4.0, 90.0])
    figure = trajectory_figure(make_evaluation(np.zeros(5), turn_deg=turns))
    (bar,) = (axes.images[0] for axes in figure.axes if axes.images)
    np.testing.assert_allclose(np.asarray(bar.get_array()), turns[None])
    assert bar.norm.vmin == 0 and bar.norm.vmax < 90  # one frame does not take all colours


@pytest.mark.parametrize(
    'extent, axes',
    [
        ((5, 4, 1), (0, 1, 2)),
        ((4, 5, 1), (0, 1, 2)),
        ((5, 1, 4), (0, 2, 1)),
        ((1, 4, 5), (1, 2, 0)),
    ],
)
def test_the_thin_axis_is_looked_along(extent, axes):
    assert _view_axes(np.array(extent, float)) == axes


def test_no_line_joins_two_drives():
    positions = np.zeros((9, 3))
    positions[:, 0] = [0, 0.1, 0.2, 0.3, 5, 5.1, 5.2, 9, 9.1]
    assert _jumps(positions).tolist() == [4, 7]


@pytest.mark.parametrize('count', [1, 2])
def test_very_few_frames(count):
    figure = trajectory_figure(make_evaluation(np.full(count, 0.1)))
    figure.canvas.draw()
