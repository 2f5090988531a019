"""The demo's picture: the true way is the truth's, whatever poses came."""

import numpy as np
import pytest

pytest.importorskip('rclpy')

from demo import plot  # noqa: E402
from demo.plot import plot_trajectory, true_path  # noqa: E402
from demo.viewer import Fix, Play  # noqa: E402

T_BASE_OPTICAL = np.array([[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0.75], [0, 0, 0, 1.0]])


def at(x, y):
    T = np.eye(4)
    T[:2, 3] = x, y
    return T


def made_up(localized):
    """A bend of ten images, some of which are localized, 0.2 m beside it."""
    play = Play(images=10)
    for k in range(10):
        true = at(0.2 * k, 0.1 * k * k / 9)
        stamp = 10**9 + k * 10**8
        play.truth[stamp] = true @ T_BASE_OPTICAL
        if k in localized:
            play.fixes.append(Fix(stamp, stamp + 1, 10.0, at(0.2, 0.0) @ true, true))
    return play


def test_the_true_path_is_that_of_all_images():
    expected = [(0.2 * k, 0.1 * k * k / 9) for k in range(10)]
    play = made_up(localized=(0, 9))
    np.testing.assert_allclose(true_path(play, T_BASE_OPTICAL), expected, atol=1e-12)


def test_it_is_drawn_also_where_no_pose_came(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plot.plt, 'close', drawn.append)
    before, after = made_up(localized=(0, 1, 9)), made_up(localized=range(10))
    plot_trajectory(tmp_path / 'picture.png', before, after, T_BASE_OPTICAL)
    assert (tmp_path / 'picture.png').stat().st_size > 10_000
    left, right, *errors = drawn[0].axes
    for axes, play in ((left, before), (right, after)):
        lines = {line.get_label(): line.get_xydata() for line in axes.lines}
        np.testing.assert_allclose(lines['true'], true_path(play, T_BASE_OPTICAL))
        assert len(lines['localized']) == len(play.fixes)
    # Errors by the time since the first image, and none where no pose came.
    line = errors[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), 0.1 * np.arange(10), atol=1e-9)
    np.testing.assert_allclose(line.get_ydata()[[0, 1, 9]], 0.2)
    assert np.isnan(line.get_ydata()[2:9]).all()
