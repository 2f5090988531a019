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


def test_headings_are_drawn_from_where_the_cameras_were():
    evaluation = make_evaluation(np.linspace(0.0, 0.3, 24))
    top, side = trajectory_figure(evaluation).axes[:2]
    for axes, columns in ((top, [0, 1]), (side, [0, 2])):
        true, estimated = (c for c in axes.collections if c.get_label() == '_heading')
        for arrows, T in ((true, evaluation.T_true), (estimated, evaluation.T_estimated)):
            np.testing.assert_allclose(arrows.get_offsets(), T[:, columns, 3])
            along = np.stack([arrows.U, arrows.V], axis=1)
            # All as long as their part in the plane, and the way the optical axis points.
            scale = np.linalg.norm(along[0]) / np.linalg.norm(T[0, columns, 2])
            np.testing.assert_allclose(along, scale * T[:, columns, 2], atol=1e-9)
            assert scale > 0
    many = make_evaluation(np.zeros(500))
    shown = [c for c in trajectory_figure(many).axes[0].collections if c.get_label() == '_heading']
    assert all(20 <= arrows.N <= 40 for arrows in shown)


def test_the_way_of_the_mapping_photos_lies_below():
    evaluation = make_evaluation(np.zeros(24))
    mapped = np.cumsum(np.full((30, 3), 0.05), axis=0) - (0.5, 0.5, 0.5)
    mapped[20:] += 40.0  # another drive, far away
    top = trajectory_figure(evaluation, mapped=mapped).axes[0]
    way, true = top.lines[:2]
    assert way.get_label() == 'mapping photos' and true.get_label() == 'true'
    x, y = way.get_data()
    np.testing.assert_array_equal(np.isnan(x), np.arange(31) == 20)
    np.testing.assert_allclose(x[:20], mapped[:20, 0])
    alone = np.ptp(trajectory_figure(evaluation).axes[0].get_xlim())
    assert alone < np.ptp(top.get_xlim()) < 3.5 * alone


def test_axes_are_in_the_unit_of_the_data():
    evaluation = replace(make_evaluation(np.zeros(5)), unit='units')
    assert trajectory_figure(evaluation).axes[0].get_xlabel() == 'x (units)'
