"""The report of an evaluation: one page that shows where, when and why poses are off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posemap_ros.dataset import PosedImages
from posemap_ros.evaluation.errors import (
    RECALLS,
    Evaluation,
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


def write_report(
    path: Path | str,
    evaluation: Evaluation,
    dataset: PosedImages,
    localizer: Localizer,
    T_nearest: np.ndarray | None = None,
    landmarks: np.ndarray | None = None,
) -> None:
    """Write the report as one HTML file.

    Args:
        path: of the file.
        evaluation: of all frames of the dataset, by the localizer.
        dataset: the images.
        localizer: its environment renders the views.
        T_nearest: [N, 4, 4] poses of the nearest training images, to compare with.
        landmarks: points [L, 3] that poses were verified by, world, metres.
    """
    environment, images = localizer.environment.path.resolve(), dataset.root.resolve()
    page = Page(f'Evaluation: {environment.name} on {images.name}')
    _add_summary(page, evaluation, localizer, T_nearest)
    if evaluation.verifications:
        _add_verified(page, evaluation)
    page.heading('Trajectory')
    page.figure(
        trajectory_figure(evaluation, landmarks),
        'Camera positions seen from two sides; thin lines lead from where a frame was taken to '
        'where it is believed to be. Where poses were verified, their positions and the '
        'landmarks are shown, too. Below: rotation error of each frame.',
    )
    page.heading('Errors')
    page.figure(error_figure(evaluation), 'Errors of the frames in their order.')
    page.figure(
        recall_figure(evaluation, T_nearest),
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
        ['frame', 'error (m)', 'predicted sigma (m)', 'error (deg)', 'predicted sigma (deg)'],
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


def _add_summary(
    page: Page,
    evaluation: Evaluation,
    localizer: Localizer,
    T_nearest: np.ndarray | None,
) -> None:
    environment = localizer.environment
    recipe, network = environment.recipe, environment.network_camera
    summary = evaluation.summary()
    page.paragraph(
        f'{summary["frames"]} frames; revision {evaluation.revision} of the environment, '
        f'recipe {recipe.name}, {recipe.aprnet.backbone} at {network.width} x {network.height}, '
        f'{summary["ms_per_frame"]:.1f} ms a frame (median) on {localizer.device}.'
    )
    columns, errors = ['', 'network'], [(evaluation.translation_m, evaluation.rotation_deg)]
    if T_nearest is not None:
        columns.append('nearest image')
        true = evaluation.T_true
        errors.append((translation_error_m(T_nearest, true), rotation_error_deg(T_nearest, true)))
    figures = [summarize(*pair) for pair in errors]
    rows = [
        [name, *(f'{figure[key]:.{digits}f}' for figure in figures)]
        for name, key, digits in (
            ('median translation error (m)', 'median_translation_m', 3),
            ('median rotation error (deg)', 'median_rotation_deg', 2),
            ('90th percentile (m)', 'p90_translation_m', 3),
            ('90th percentile (deg)', 'p90_rotation_deg', 2),
        )
    ]
    rows.append(
        [
            'root mean square translation error (m), the APE of evo',
            *(f'{np.sqrt(np.mean(metres**2)):.3f}' for metres, _ in errors),
        ]
    )
    rows += [
        [
            f'within {100 * metres:.0f} cm and {degrees:.0f} deg (%)',
            *(f'{100 * figure[key]:.1f}' for figure in figures),
        ]
        for key, metres, degrees in RECALLS
    ]
    page.table(columns, rows)


def _add_verified(page: Page, evaluation: Evaluation) -> None:
    figures = evaluation.summary()['verified']
    _, metres, degrees = RECALLS[0]
    page.table(
        ['verified poses', ''],
        [
            [name, f'{factor * figures[key]:.{digits}f}']
            for name, key, factor, digits in (
                ('verified, of all frames (%)', 'share', 100, 1),
                ('median translation error (m)', 'median_translation_m', 1, 3),
                ('median rotation error (deg)', 'median_rotation_deg', 1, 2),
                (
                    f'verified and within {100 * metres:.0f} cm and {degrees:.0f} deg, '
                    'of all frames (%)',
                    'recall_5cm_5deg',
                    100,
                    1,
                ),
                ('wrong: off by more than 25 cm or 10 deg (frames)', 'wrong', 1, 0),
            )
            if key in figures  # no errors where nothing was verified
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
    errors = f'{evaluation.translation_m[index]:.3f} m, {evaluation.rotation_deg[index]:.2f} deg'
    page.images(
        [
            (views.image, f'{evaluation.frames[index].name} (frame {index})'),
            (views.render, f'render at the estimate, off by {errors}'),
            (views.image_features, 'features of the photo'),
            (views.render_features, 'features of the render'),
            (views.posemap, 'PoseMap at the estimate'),
        ]
    )
