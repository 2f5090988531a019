"""Whose poses are they? The frames that the camera is mounted on, tried like conventions."""

from __future__ import annotations

from posemap_ros.check.conventions import AS_GIVEN, Convention
from posemap_ros.check.fit import Fit, fit_epipolar
from posemap_ros.check.geometry_findings import FEWEST_PAIRS, fits
from posemap_ros.check.pairs import Progress, find_pairs
from posemap_ros.check.timeline import timeline_of
from posemap_ros.dataset import PosedImages
from posemap_ros.dataset.mounts import Mounts
from posemap_ros.two_view.features import FeatureMatcher


def mount_conventions(mounts: Mounts | None) -> list[Convention]:
    """What the poses are if they were those of another frame than they were extracted for."""
    if mounts is None:
        return []
    return [
        Convention(
            f'those of {frame}, and not of {mounts.used}, for which they were extracted',
            f'T @ {T.round(4).tolist()}',
            lambda poses, T=T: poses @ T,
            frame,
        )
        for frame, T in mounts.corrections().items()
    ]


def judge_mounts(
    dataset: PosedImages, mounts: Mounts, progress: Progress = lambda items, what, total: items
) -> str:
    """Which frame's poses fit the images, as a sentence; `progress` shows how far that is.

    Raises:
        DatasetError: an image cannot be read.
    """
    matcher, timeline = FeatureMatcher(dataset), timeline_of(dataset)
    pairs = find_pairs(matcher, timeline, progress)
    if len(pairs) < FEWEST_PAIRS:
        return (
            f'note: only {len(pairs)} pairs of images match, so it was not tested whether the '
            f'poses are those of {mounts.used}'
        )
    conventions = [AS_GIVEN, *mount_conventions(mounts)]
    fit = fit_epipolar(pairs, dataset.poses, timeline, matcher.camera, conventions, progress)
    figures = _figures(fit, mounts.used, dataset.camera.width / fit.camera.width)
    if not fits(fit):
        return (
            f'WARNING: the poses fit the images as those of no frame: {figures}; '
            'check_dataset says more'
        )
    if fit.convention is AS_GIVEN:
        return f'the poses fit the images as those of {mounts.used}: {figures}'
    return (
        f'WARNING: the poses are those of {fit.convention.frame}, not of {mounts.used}: '
        f'{figures}; extract again with --pose-frame {fit.convention.frame}'
    )


def _figures(fit: Fit, used: str, native: float) -> str:
    costs = ', '.join(
        f'{convention.frame or used} {native * cost:.1f} px'
        for convention, cost in sorted(fit.costs_px.items(), key=lambda item: item[1])
    )
    return f'matched points are off their epipolar lines by {costs}'
