"""Errors over the frames, shares of frames below an error, and errors against their forecast."""

from __future__ import annotations

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from posemap_ros.evaluation.errors import (
    RECALLS,
    Evaluation,
    rotation_error_deg,
    translation_error_m,
)
from posemap_ros.evaluation.report.style import (
    ESTIMATED,
    GUIDE,
    NEAREST,
    PREDICTED,
    STYLE,
    WIDTH_IN,
)
from posemap_ros.evaluation.uncertainty import CHI3_QUANTILES

_TRANSLATION, _ROTATION = 'translation error (m)', 'rotation error (deg)'


@rc_context(STYLE)
def error_figure(evaluation: Evaluation) -> Figure:
    """Both errors of each frame, and the bound that nine in ten are predicted to keep."""
    figure = Figure(figsize=(WIDTH_IN, 4.2), layout='constrained')
    panels = figure.subplots(2, 1, sharex=True)
    for axes, errors, sigma, label in zip(panels, *_quantities(evaluation)):
        frames = np.arange(len(errors))
        bound = CHI3_QUANTILES[0.9] * sigma
        axes.plot(frames, errors, color=ESTIMATED, linewidth=0.9, label='error')
        median = float(np.median(errors))
        axes.axhline(median, color=ESTIMATED, linewidth=0.9, linestyle=':', label='median error')
        axes.fill_between(
            frames,
            bound,
            step='mid',
            color=PREDICTED,
            alpha=0.18,
            linewidth=0,
            label='predicted to hold 90 %',
        )
        axes.set_ylabel(label)
        axes.set_ylim(0, 1.08 * max(errors.max(), float(np.percentile(bound, 90))))
        axes.margins(x=0.01)
    panels[0].legend(loc='lower left', bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
    panels[1].set_xlabel('frame')
    return figure


@rc_context(STYLE)
def recall_figure(evaluation: Evaluation, T_nearest: np.ndarray | None) -> Figure:
    """Share of frames below each error; also if each frame had the pose of its nearest image."""
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout='constrained')
    panels = figure.subplots(1, 2, sharey=True)
    _, metres, degrees = zip(*RECALLS)
    true = evaluation.T_true
    errors = (evaluation.translation_m, evaluation.rotation_deg)
    floors = (None, None)
    if T_nearest is not None:
        floors = (translation_error_m(T_nearest, true), rotation_error_deg(T_nearest, true))
    for axes, error, floor, label, limits in zip(
        panels, errors, floors, (_TRANSLATION, _ROTATION), (metres, degrees)
    ):
        for limit in sorted(set(limits)):
            axes.axvline(limit, color=GUIDE, linewidth=0.8, linestyle=':')
        if floor is not None:
            _draw_recall(axes, floor, color=NEAREST, linestyle='--', label='nearest image')
        _draw_recall(axes, error, color=ESTIMATED, label='estimated')
        axes.set_xlim(0, 1.1 * max(float(np.percentile(error, 99)), max(limits)))
        axes.set_ylim(0, 102)
        axes.set_xlabel(label)
    panels[0].set_ylabel('frames below (%)')
    panels[1].legend(loc='lower right')
    return figure


@rc_context(STYLE)
def spread_figure(evaluation: Evaluation) -> Figure:
    """True errors against predicted standard deviations, with the lines below which half of the
    frames and nine in ten should be.
    """
    figure = Figure(figsize=(WIDTH_IN, 3.9), layout='constrained')
    for axes, errors, sigma, label in zip(figure.subplots(1, 2), *_quantities(evaluation)):
        axes.scatter(sigma, errors, s=10, color=ESTIMATED, alpha=0.5, linewidths=0)
        ends = np.array([0.0, 1.05 * sigma.max()])
        for share, dashes in ((0.9, '-'), (0.5, '--')):
            radius = CHI3_QUANTILES[share] * ends
            axes.plot(ends, radius, dashes, color=PREDICTED, label=f'{100 * share:.0f} % below')
        axes.set_xlim(ends)
        axes.set_ylim(0, 1.08 * max(errors.max(), radius.max()))
        unit = label[label.index('(') :]
        axes.set_xlabel(f'predicted standard deviation per axis {unit}')
        axes.set_ylabel(label)
    figure.axes[0].legend(loc='upper left', title='if the prediction holds', alignment='left')
    return figure


def _quantities(evaluation: Evaluation) -> tuple[tuple, tuple, tuple]:
    """Errors, predicted standard deviations and labels of translation and of rotation."""
    return (
        (evaluation.translation_m, evaluation.rotation_deg),
        (evaluation.sigma_translation_m, evaluation.sigma_rotation_deg),
        (_TRANSLATION, _ROTATION),
    )


def _draw_recall(axes: Axes, errors: np.ndarray, **style: str) -> None:
    share = 100 * np.arange(len(errors) + 1) / len(errors)
    axes.step(np.concatenate([[0.0], np.sort(errors)]), share, where='post', **style)
