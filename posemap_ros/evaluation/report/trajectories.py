"""The true and the estimated trajectory with headings, over the way of the mapping photos, and a
bar of rotation errors (paper, Figure 4).
"""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from posemap_ros.evaluation.errors import Evaluation
from posemap_ros.evaluation.report.style import (
    ESTIMATED,
    LANDMARK,
    MAPPED,
    STYLE,
    TRUE,
    VERIFIED,
    WIDTH_IN,
)

_AXIS_NAMES = 'xyz'
_BAR_IN, _LABELS_IN = 0.95, 0.55  # heights of the bar with its labels, and of a view's labels
_VIEW_WIDTH_IN = 4.8
_VIEW_IN = (1.0, 4.5)  # least and greatest height of a view
# Frames farther apart than this many usual steps are not of one drive: no line between them.
_JUMP = 8.0
_LANDMARKS = 4000  # drawn of all
# Headings: how many are drawn of each trajectory, and how long, of the view's width.
_HEADINGS, _HEADING = 30, 0.05


@rc_context(STYLE)
def trajectory_figure(
    evaluation: Evaluation,
    landmarks: np.ndarray | None = None,
    mapped: np.ndarray | None = None,
) -> Figure:
    """Positions along the world's axes from two sides, true to scale, above the bar of errors.

    Args:
        evaluation: its verified positions are shown, too, if there are any.
        landmarks: points [L, 3], shown in the first view.
        mapped: positions [M, 3] of the photos that the map was made from, in their order.
    """
    true, estimated = evaluation.T_true[:, :3, 3], evaluation.T_estimated[:, :3, 3]
    verified = evaluation.T_verified[:, :3, 3]
    # Within what frames outside of it cannot shrink to a dot.
    low, high = true.min(0), true.max(0)
    if mapped is not None and len(mapped):
        # As below: all of it, but not at the price of a trajectory too small to see.
        reach = max((high - low).max(), 0.1)
        low = np.clip(mapped.min(0), low - reach, low)
        high = np.clip(mapped.max(0), high, high + reach)
    margin = 0.08 * max((high - low).max(), 0.1)
    low, high = low - margin, high + margin
    across, up, thin = _view_axes(high - low)
    shows_landmarks = landmarks is not None and len(landmarks) > 0
    if shows_landmarks:
        landmarks = landmarks[:: -(-len(landmarks) // _LANDMARKS)]
        # Most of them, but not at the price of a trajectory too small to see.
        reach = (high - low).max()
        first, last = np.percentile(landmarks, (5, 95), axis=0)
        low, high = np.clip(first, low - reach, low), np.clip(last, high, high + reach)
    span = max((high - low)[[up, thin]])
    height = np.clip(span / (high - low)[across] * _VIEW_WIDTH_IN, *_VIEW_IN)

    figure = Figure(figsize=(WIDTH_IN, height + _LABELS_IN + _BAR_IN), layout='constrained')
    grid = figure.add_gridspec(2, 2, height_ratios=(height + _LABELS_IN, _BAR_IN))
    breaks = _jumps(true)
    for column, vertical in enumerate((up, thin)):
        axes = figure.add_subplot(grid[0, column])
        sides = [across, vertical]
        if shows_landmarks and not column:
            axes.scatter(
                *landmarks[:, sides].T,
                s=3,
                color=LANDMARK,
                linewidths=0,
                label='landmarks',
                rasterized=True,  # thousands of vectors would make a slow page
            )
        if mapped is not None and len(mapped):
            line = np.insert(mapped, _jumps(mapped), np.nan, axis=0)[:, sides]
            axes.plot(*line.T, color=MAPPED, linewidth=0.8, label='mapping photos')
        _draw_view(axes, true[:, sides], estimated[:, sides], breaks)
        length = _HEADING * (high - low)[across]
        for T, colour in ((evaluation.T_true, TRUE), (evaluation.T_estimated, ESTIMATED)):
            _draw_headings(axes, T[:, sides, 3], length * T[:, sides, 2], colour)
        if len(verified):
            axes.plot(
                *verified[:, sides].T,
                color=VERIFIED,
                linestyle='none',
                marker='.',
                markersize=3.5,
                label='verified',
            )
        axes.set_aspect('equal')
        middle = (low + high)[vertical] / 2
        axes.set_xlim(low[across], high[across])
        axes.set_ylim(middle - span / 2, middle + span / 2)
        axes.set_xlabel(f'{_AXIS_NAMES[across]} ({evaluation.unit})')
        axes.set_ylabel(f'{_AXIS_NAMES[vertical]} ({evaluation.unit})')
        if not column:
            axes.legend(loc='lower left', bbox_to_anchor=(0, 1), ncols=5, borderaxespad=0.2)
    _draw_error_bar(figure.add_subplot(grid[1, :]), evaluation.rotation_deg)
    return figure


def _view_axes(extent: np.ndarray) -> tuple[int, int, int]:
    """The two axes with the largest extent [3], in the order that does not mirror them, and the
    third.
    """
    thin = int(np.argmin(extent))
    across, up = sorted({0, 1, 2} - {thin})
    return across, up, thin


def _jumps(positions: np.ndarray) -> np.ndarray:
    """Indices of the frames that do not follow on the one before, by their positions [N, 3]."""
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    usual = np.median(steps) if len(steps) else 0.0
    return 1 + np.flatnonzero(steps > _JUMP * usual)


def _draw_view(axes: Axes, true: np.ndarray, estimated: np.ndarray, breaks: np.ndarray) -> None:
    """Draw true and estimated positions [N, 2], and a thin line from each to its other."""
    pairs = np.stack([true, estimated], axis=1)
    axes.add_collection(LineCollection(pairs, colors=ESTIMATED, alpha=0.45, linewidths=0.6))
    axes.plot(*np.insert(true, breaks, np.nan, axis=0).T, color=TRUE, linewidth=1.6, label='true')
    axes.plot(
        *np.insert(estimated, breaks, np.nan, axis=0).T,
        color=ESTIMATED,
        linewidth=0.8,
        marker='.',
        markersize=2.5,
        label='estimated',
    )


def _draw_headings(axes: Axes, at: np.ndarray, along: np.ndarray, colour: str) -> None:
    """Draw where some of the cameras at positions [N, 2] look, as arrows `along` [N, 2]."""
    thin = slice(None, None, -(-len(at) // _HEADINGS))
    axes.quiver(
        *at[thin].T,
        *along[thin].T,
        angles='xy',
        scale_units='xy',
        scale=1,
        width=0.003,
        color=colour,
        label='_heading',
    )


def _draw_error_bar(axes: Axes, rotation_deg: np.ndarray) -> None:
    """Draw a stripe for each frame, coloured by its rotation error [N]."""
    # A few frames that are far off must not make all others look alike.
    top = max(float(np.percentile(rotation_deg, 95)), 1e-3)
    stripes = axes.imshow(
        rotation_deg[None],
        aspect='auto',
        interpolation='nearest',
        vmin=0,
        vmax=top,
        extent=(-0.5, len(rotation_deg) - 0.5, 0, 1),
    )
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel('frame')
    axes.figure.colorbar(
        stripes,
        ax=axes,
        label='rotation\nerror (deg)',
        pad=0.01,
        fraction=0.03,
        aspect=5,
        extend='max' if rotation_deg.max() > top else 'neither',
    )
