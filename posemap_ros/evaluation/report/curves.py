"""Errors over the frames, shares of frames below an error, and errors against their forecast."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import Any

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
    OTHERS,
    PREDICTED,
    STYLE,
    WIDTH_IN,
)
from posemap_ros.evaluation.uncertainty import CHI3_QUANTILES


@rc_context(STYLE)
def error_figure(
    evaluation: Evaluation, name: str = '', others: Mapping[str, Evaluation] | None = None
) -> Figure:
    """Both errors of each frame, and the bound that nine in ten are predicted to keep; or, instead
    of the bound, the errors of others: all by their names.
    """
    figure = Figure(figsize=(WIDTH_IN, 4.2), layout='constrained')
    panels = figure.subplots(2, 1, sharex=True)
    for index, (axes, (errors, sigma, label)) in enumerate(zip(panels, _quantities(evaluation))):
        frames = np.arange(len(errors))
        bound = CHI3_QUANTILES[0.9] * sigma
        axes.plot(frames, errors, color=ESTIMATED, linewidth=0.9, label=name or 'error')
        median = float(np.median(errors))
        axes.axhline(median, color=ESTIMATED, linewidth=0.9, linestyle=':', label='median error')
        highest = [errors.max()]
        if others:
            for (called, other), (colour, dashes) in zip(others.items(), cycle(OTHERS)):
                found = _quantities(other)[index][0]
                axes.plot(frames, found, color=colour, dashes=dashes, linewidth=0.9, label=called)
                highest.append(found.max())
        else:
            axes.fill_between(
                frames,
                bound,
                step='mid',
                color=PREDICTED,
                alpha=0.18,
                linewidth=0,
                label='predicted to hold 90 %',
            )
            highest.append(float(np.percentile(bound, 90)))
        axes.set_ylabel(label)
        axes.set_ylim(0, 1.08 * max(*highest, 1e-9))
        axes.margins(x=0.01)
    panels[0].legend(loc='lower left', bbox_to_anchor=(0, 1), ncols=5, borderaxespad=0.2)
    panels[1].set_xlabel('frame')
    return figure


@rc_context(STYLE)
def recall_figure(
    evaluation: Evaluation,
    T_nearest: np.ndarray | None,
    name: str = '',
    others: Mapping[str, Evaluation] | None = None,
) -> Figure:
    """Share of frames below each error; also of others, by their names, and if each frame had the
    pose of its nearest image.
    """
    figure = Figure(figsize=(WIDTH_IN, 3.4), layout='constrained')
    panels = figure.subplots(1, 2, sharey=True)
    _, metres, degrees = zip(*RECALLS)
    true = evaluation.T_true
    floors = (None, None)
    if T_nearest is not None:
        floors = (translation_error_m(T_nearest, true), rotation_error_deg(T_nearest, true))
    for index, (axes, (error, _, label), floor, limits) in enumerate(
        zip(panels, _quantities(evaluation), floors, (metres, degrees))
    ):
        for limit in sorted(set(limits)):
            axes.axvline(limit, color=GUIDE, linewidth=0.8, linestyle=':')
        if floor is not None:
            _draw_recall(axes, floor, color=NEAREST, linestyle='--', label='nearest image')
        shown = [error]
        for (called, other), (colour, dashes) in zip((others or {}).items(), cycle(OTHERS)):
            shown.append(_quantities(other)[index][0])
            _draw_recall(axes, shown[-1], color=colour, dashes=dashes, label=called)
        _draw_recall(axes, error, color=ESTIMATED, label=name or 'estimated')
        farthest = max(float(np.percentile(errors, 99)) for errors in shown)
        axes.set_xlim(0, 1.1 * max(farthest, max(limits)))
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
    for axes, (errors, sigma, label) in zip(figure.subplots(1, 2), _quantities(evaluation)):
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


def _quantities(evaluation: Evaluation) -> tuple[tuple[np.ndarray, np.ndarray, str], ...]:
    """Errors, predicted standard deviations and label, of translation and of rotation."""
    return (
        (
            evaluation.translation_m,
            evaluation.sigma_translation_m,
            f'translation error ({evaluation.unit})',
        ),
        (evaluation.rotation_deg, evaluation.sigma_rotation_deg, 'rotation error (deg)'),
    )


def _draw_recall(axes: Axes, errors: np.ndarray, **style: Any) -> None:
    share = 100 * np.arange(len(errors) + 1) / len(errors)
    axes.step(np.concatenate([[0.0], np.sort(errors)]), share, where='post', **style)
