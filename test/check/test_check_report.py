"""The page of the check: labels, legends and arrows can be read, and captions are true."""

import re
from dataclasses import replace

import numpy as np
import pytest

from posemap_ros.check import check_dataset
from posemap_ros.check.conventions import CONVENTIONS
from posemap_ros.check.coverage_map import judge_coverage, look_from_above
from posemap_ros.check.expected_accuracy import judge_retrieval
from posemap_ros.check.motion import judge_motion
from posemap_ros.check.report import _from_above, _profiles, _segment, make_report


@pytest.fixture(scope='module')
def checked(room):
    return check_dataset(room.dataset)


def test_every_plot_says_what_is_up_and_what_is_right(checked):
    figure = _profiles(checked, 1.0)
    for axes in (*figure.axes, *_from_above(checked).axes):
        assert axes.get_xlabel() and axes.get_ylabel()


def test_legends_have_no_more_digits_than_are_known(checked):
    focal, offset = _profiles(checked, 1.0).axes
    said = [text.get_text() for axes in (focal, offset) for text in axes.get_legend().get_texts()]
    assert said[0] == 'given: 190 px' and said[2] == 'given: 0 ms'
    assert all(len(text.split(': ')[1]) <= len('-1000 ms') for text in said)


@pytest.mark.parametrize('stretch', [(1.0, 1.0), (30.0, 0.1), (0.1, 30.0)])
def test_arrows_are_within_the_axes_at_any_path(checked, stretch):
    above = checked.above
    positions = above.positions * (*stretch, 1.0)
    figure = _from_above(replace(checked, above=replace(above, positions=positions)))
    figure.canvas.draw()
    (axes,) = figure.axes
    (arrows,) = (c for c in axes.collections if c.get_label() == 'looking')
    tips = arrows.get_offsets() + np.stack([arrows.U, arrows.V], axis=1)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert np.all((tips > (left, low)) & (tips < (right, high)))
    # As long everywhere as they look into the plane, whatever the extent.
    length = np.hypot(arrows.U, arrows.V)
    assert length.max() == pytest.approx(0.04 * np.ptp(positions[:, :2], axis=0).max(), rel=0.05)


def test_poses_that_do_not_fit_are_not_said_to(checked):
    fit = checked.fit

    def caption(fit):
        return make_report(replace(checked, fit=fit)).html()

    assert 'and the epipolar lines of the poses<' in caption(fit)
    wrong = replace(fit, residuals_px=np.full_like(fit.residuals_px, 30.0))
    assert 'epipolar lines of the poses, which do not fit them' in caption(wrong)
    inverted = replace(fit, convention=CONVENTIONS[1])
    assert 'epipolar lines of the poses, put right' in caption(inverted)


def test_figures_of_coverage_are_lines_of_their_own(checked):
    page = make_report(checked).html()
    lines = checked.above.coverage.lines
    assert len(lines) == 4 and all(f'<li>{line}' in page for line in lines)


def test_units_of_arbitrary_scale_are_not_called_metres(checked):
    units = replace(checked, dataset=replace(checked.dataset, metric=False))
    assert _from_above(units).axes[0].get_xlabel() == 'x (units)'
    above = look_from_above(checked.poses, checked.timeline.order, 1.5, 'units')
    findings = (
        judge_coverage(above),
        *judge_motion(checked.motion, checked.dataset.names, 'units'),
        judge_retrieval(checked.retrieval, 'units'),
    )
    said = '\n'.join([*map(str, findings), *above.coverage.lines])
    assert said.count(' units') >= 5
    assert not re.search(r' c?m\b', said)


def test_a_segment_is_the_part_of_the_line_that_is_near():
    line = np.array([1.0, -1.0, 2.0])  # y = x + 2
    start, end = _segment(line, np.array([10.0, 10.0]), 4.0)
    np.testing.assert_allclose((start + end) / 2, [9.0, 11.0])
    np.testing.assert_allclose([line @ (*p, 1.0) for p in (start, end)], 0, atol=1e-12)
    assert np.linalg.norm(end - start) == pytest.approx(4.0)
