"""The report of an evaluation: one page that shows where, when and why poses are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from posemap_ros.dataset import PosedImages
from posemap_ros.evaluation.errors import (
    RECALLS,
    WRONG_DEG,
    WRONG_M,
    Evaluation,
    limits,
    rotation_error_deg,
    summarize,
    translation_error_m,
)
from posemap_ros.evaluation.report.curves import error_figure, recall_figure, spread_figure
from posemap_ros.evaluation.report.trajectories import trajectory_figure
from posemap_ros.evaluation.report.views import FrameViews, view_frames
from posemap_ros.evaluation.uncertainty import rank_correlation, share_inside
from posemap_ros.localizer import Localizer
from posemap_ros.support.html_page import Page

_WORST, _TYPICAL = 5, (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class Beside:
    """What an evaluation is shown with.

    Attributes:
        name: of what was evaluated, where others are beside it.
        others: evaluations of the same frames, by the names of what they are of.
        T_nearest: [N, 4, 4] poses of the nearest images among others.
        landmarks: points [L, 3] of the map, world.
        mapped: positions [M, 3] of the photos that the map was made from.
    """

    name: str = ''
    others: Mapping[str, Evaluation] = field(default_factory=dict)
    T_nearest: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    mapped: np.ndarray | None = None


def write_report(
    path: Path | str,
    evaluation: Evaluation,
    dataset: PosedImages,
    localizer: Localizer,
    beside: Beside | None = None,
) -> None:
    """Write the report as one HTML file.

    Args:
        path: of the file.
        evaluation: of all frames of the dataset, by the localizer.
        dataset: the images.
        localizer: its environment renders the views.
        beside: what to compare with, and the map.
    """
    beside = beside or Beside()
    environment, images = localizer.environment.path.resolve(), dataset.root.resolve()
    page = Page(f'Evaluation: {environment.name} on {images.name}')
    _add_summary(page, evaluation, localizer, beside)
    if evaluation.verifications:
        _add_verified(page, evaluation, beside)
    for name, shown in {beside.name: evaluation, **beside.others}.items():
        page.heading(f'Trajectory: {name}' if beside.others else 'Trajectory')
        page.figure(
            trajectory_figure(shown, beside.landmarks, beside.mapped),
            'Camera positions seen from two sides; thin lines lead from where a frame was taken '
            'to where it is believed to be, arrows are where cameras look. Where the map '
            'has them, its landmarks and the way of its photos are shown, and verified positions '
            'where poses were verified. Below: rotation error of each frame.',
        )
    page.heading('Errors')
    page.figure(
        error_figure(evaluation, beside.name, beside.others),
        'Errors of the frames in their order.',
    )
    page.figure(
        recall_figure(evaluation, beside.T_nearest, beside.name, beside.others),
        'Share of frames with an error below. Dotted: the limits of the recalls above.',
    )
    _add_uncertainty(page, evaluation)

    ranked = rank_frames(evaluation)
    typical = [ranked[round(share * (len(ranked) - 1))] for share in _TYPICAL]
    worst = pick_apart(ranked[::-1], _WORST, apart=len(ranked) // 20)
    views = view_frames(evaluation, dataset, [*typical, *worst], localizer)
    page.heading('Views')
    page.paragraph(
        'The photo, and what the map shows at the estimated pose. Features are drawn by their '
        'three main components: the same colour means the same in all photos and renders, and in '
        'all PoseMaps. Image features are those of the first tap; PoseMaps are rendered eight '
        'times as finely as the network compares them.'
    )
    page.heading('Typical frames', 3)
    page.paragraph('A quarter, a half and three quarters of all frames are better.')
    for index, view in zip(typical, views):
        _add_views(page, evaluation, index, view)
    page.heading('Worst frames', 3)
    page.paragraph('Of frames that follow on each other, only the worst is shown.')
    page.table(
        [
            'frame',
            f'error ({evaluation.unit})',
            f'predicted sigma ({evaluation.unit})',
            'error (deg)',
            'predicted sigma (deg)',
        ],
        [
            [
                evaluation.frames[index].name,
                f'{evaluation.translation_m[index]:.3f}',
                f'{evaluation.sigma_translation_m[index]:.3f}',
                f'{evaluation.rotation_deg[index]:.2f}',
                f'{evaluation.sigma_rotation_deg[index]:.2f}',
            ]
            for index in worst
        ],
    )
    for index, view in zip(worst, views[len(typical) :]):
        _add_views(page, evaluation, index, view)
    page.write(path)


def rank_frames(evaluation: Evaluation) -> list[int]:
    """Indices of all frames from the best to the worst, by the error that is larger against the
    strictest limit, 5 cm or 5 deg.
    """
    _, metres, degrees = RECALLS[0]
    score = np.maximum(evaluation.translation_m / metres, evaluation.rotation_deg / degrees)
    return np.argsort(score, kind='stable').tolist()


def pick_apart(indices: Sequence[int], count: int, apart: int) -> list[int]:
    """The first `count` indices that are more than `apart` from all that were picked before."""
    picked: list[int] = []
    for index in indices:
        if len(picked) < count and all(abs(index - other) > apart for other in picked):
            picked.append(index)
    return picked


def _add_summary(page: Page, evaluation: Evaluation, localizer: Localizer, beside: Beside) -> None:
    environment = localizer.environment
    recipe, network = environment.recipe, environment.network_camera
    summary, unit = evaluation.summary(), evaluation.unit
    page.paragraph(
        f'{summary["frames"]} frames; revision {evaluation.revision} of the environment, '
        f'recipe {recipe.name}, {recipe.aprnet.backbone} at {network.width} x {network.height}, '
        f'{summary["ms_per_frame"]:.1f} ms a frame (median) on {localizer.device}.'
    )
    columns = {beside.name or 'network': evaluation, **beside.others}
    errors = {name: (e.translation_m, e.rotation_deg) for name, e in columns.items()}
    if (T_nearest := beside.T_nearest) is not None:
        true = evaluation.T_true
        errors['nearest image'] = (
            translation_error_m(T_nearest, true),
            rotation_error_deg(T_nearest, true),
        )
    figures = [summarize(*pair) for pair in errors.values()]
    rows = [
        [name, *(f'{figure[key]:.{digits}f}' for figure in figures)]
        for name, key, digits in (
            (f'median translation error ({unit})', 'median_translation_m', 3),
            ('median rotation error (deg)', 'median_rotation_deg', 2),
            (f'90th percentile ({unit})', 'p90_translation_m', 3),
            ('90th percentile (deg)', 'p90_rotation_deg', 2),
        )
    ]
    rows.append(
        [
            f'root mean square translation error ({unit}), the APE of evo',
            *(f'{np.sqrt(np.mean(metres**2)):.3f}' for metres, _ in errors.values()),
        ]
    )
    rows += [
        [
            f'within {limits(metres, degrees, unit)} (%)',
            *(f'{100 * figure[key]:.1f}' for figure in figures),
        ]
        for key, metres, degrees in RECALLS
    ]
    page.table(['', *errors], rows)


def _add_verified(page: Page, evaluation: Evaluation, beside: Beside) -> None:
    columns = {beside.name: evaluation, **beside.others}
    figures = [shown.summary().get('verified', {}) for shown in columns.values()]
    (_, metres, degrees), unit = RECALLS[0], evaluation.unit
    page.table(
        ['verified poses', *columns],
        [
            [
                name,
                # There are no errors where nothing was verified.
                *(f'{factor * f[key]:.{digits}f}' if key in f else '-' for f in figures),
            ]
            for name, key, factor, digits in (
                ('verified, of all frames (%)', 'share', 100, 1),
                (f'median translation error ({unit})', 'median_translation_m', 1, 3),
                ('median rotation error (deg)', 'median_rotation_deg', 1, 2),
                (
                    f'verified and within {limits(metres, degrees, unit)}, of all frames (%)',
                    'recall_5cm_5deg',
                    100,
                    1,
                ),
                (f'wrong: not within {limits(WRONG_M, WRONG_DEG, unit)} (frames)', 'wrong', 1, 0),
            )
            if any(key in f for f in figures)
        ],
    )


def _add_uncertainty(page: Page, evaluation: Evaluation) -> None:
    page.heading('Predicted uncertainty')
    page.figure(
        spread_figure(evaluation), 'Errors against the standard deviation predicted for them.'
    )
    page.table(
        [
            '',
            'inside the 50 % radius (%)',
            'inside the 90 % radius (%)',
            'rank correlation of prediction and error',
        ],
        [
            [
                name,
                f'{100 * share_inside(errors, sigma, 0.5):.1f}',
                f'{100 * share_inside(errors, sigma, 0.9):.1f}',
                f'{rank_correlation(sigma, errors):.2f}',
            ]
            for name, errors, sigma in (
                ('translation', evaluation.translation_m, evaluation.sigma_translation_m),
                ('rotation', evaluation.rotation_deg, evaluation.sigma_rotation_deg),
            )
        ],
        'Shares of the frames; good predictions give 50, 90 and a correlation near 1.',
    )


def _add_views(page: Page, evaluation: Evaluation, index: int, views: FrameViews) -> None:
    errors = (
        f'{evaluation.translation_m[index]:.3f} {evaluation.unit}, '
        f'{evaluation.rotation_deg[index]:.2f} deg'
    )
    page.images(
        [
            (views.image, f'{evaluation.frames[index].name} (frame {index})'),
            (views.render, f'render at the estimate, off by {errors}'),
            (views.image_features, 'features of the photo'),
            (views.render_features, 'features of the render'),
            (views.posemap, 'PoseMap at the estimate'),
        ]
    )
