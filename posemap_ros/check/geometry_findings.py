"""The verdict on convention, focal length and time offset, from what fits best."""

from __future__ import annotations

import numpy as np

from posemap_ros.check.conventions import AS_GIVEN
from posemap_ros.check.findings import Finding
from posemap_ros.check.fit import Fit, Profile
from posemap_ros.check.pairs import Pairs
from posemap_ros.check.timeline import ASSUMED_HZ, Timeline
from posemap_ros.dataset import PosedImages
from posemap_ros.dataset.transforms_json import FILE_NAME

FEWEST_PAIRS = 12
# Of the image's width: the distance from epipolar lines at which poses are no use, or rough.
_WRONG, _ROUGH = 0.01, 0.005
# A deviation counts if it is this large, this many of its standard deviations, and the images
# really fit better without it.
_FOCAL_FAULT, _FOCAL_WARNING = 0.04, 0.02
_OFFSET_FAULT_S, _OFFSET_WARNING_S = 0.05, 0.02
_SIGMAS = 4.0
_BETTER = 1.1
_UNTOLD_FOCAL, _UNTOLD_OFFSET_S = 0.05, 0.1  # standard deviations with which nothing can be told
_ALIKE = 1.3  # conventions that cost less than this many times the best cannot be told apart


def judge_geometry(
    dataset: PosedImages, pairs: Pairs, fit: Fit, timeline: Timeline
) -> list[Finding]:
    """Findings on convention, focal length and time offset, in this order."""
    convention = _judge_convention(dataset, pairs, fit)
    if not fits(fit):
        return [convention]  # the others mean nothing
    return [convention, _judge_focal(dataset, fit), _judge_offset(fit, timeline)]


def no_pairs(pairs: Pairs) -> Finding:
    """Where too few images match to test anything."""
    return Finding(
        'matching',
        'fault',
        f'only {len(pairs)} pairs of images match, so that poses and camera cannot be tested',
        'the images may be blurred, dark, bare of texture, or too far apart: record more slowly '
        'or keep more frames',
    )


def fits(fit: Fit) -> bool:
    """Do the poses belong to the images, at the best of everything?"""
    return _misfit(fit) <= _WRONG


def _misfit(fit: Fit) -> float:
    """Median distance from the epipolar lines at the best of everything, as a share of width."""
    return float(np.median(fit.residuals_px)) / fit.camera.width


def _judge_convention(dataset: PosedImages, pairs: Pairs, fit: Fit) -> Finding:
    native = dataset.camera.width / fit.camera.width
    found, given = native * float(np.median(fit.residuals_px)), native * fit.given_px
    figure = f'{found:.1f} px from their epipolar lines (median of {len(pairs)} pairs of images)'
    if not fits(fit):
        return Finding(
            'pose convention',
            'fault',
            'the poses do not belong to the images, in any convention: matched points are '
            f'{figure}',
            'are images and poses mixed up or of different recordings, or is the calibration '
            'that of another camera?',
        )
    if fit.convention.frame:
        return Finding(
            'pose convention',
            'fault',
            f'the poses are {fit.convention.name}: so understood, matched points are {figure}, '
            f'as given {given:.1f} px',
            f'extract the bag again with --pose-frame {fit.convention.frame}',
        )
    if fit.convention is not AS_GIVEN:
        as_read = (
            ' (it is read as transform_matrix @ diag(1, -1, -1, 1))'
            if (dataset.root / FILE_NAME).is_file()
            else ''
        )
        return Finding(
            'pose convention',
            'fault',
            f'the poses are {fit.convention.name}: so understood, matched points are {figure}, '
            f'as given {given:.1f} px',
            f'replace each pose T, as it was read{as_read}, by {fit.convention.formula}',
        )
    best = fit.costs_px[AS_GIVEN]
    alike = [
        convention.formula
        for convention, cost in fit.costs_px.items()
        if not (convention is AS_GIVEN or convention.frame) and cost < _ALIKE * best
    ]
    if alike:
        return Finding(
            'pose convention',
            'warning',
            f'the poses fit as they are, matched points are {figure}, but so would other '
            f'conventions ({", ".join(alike)})',
            'the camera hardly turned or moved; record a drive with curves',
        )
    if _misfit(fit) > _ROUGH:
        return Finding(
            'pose convention',
            'warning',
            'the poses are camera-to-world with OpenCV axes, but rough: matched points are '
            f'{figure}',
            'better poses (SLAM, structure from motion) or intrinsics make a better environment',
        )
    others = min(
        cost
        for convention, cost in fit.costs_px.items()
        if not (convention is AS_GIVEN or convention.frame)
    )
    return Finding(
        'pose convention',
        'ok',
        f'the poses are camera-to-world with OpenCV axes, as they should be: matched points are '
        f'{figure}, {others / best:.0f} times less than in the next best convention',
    )


def _judge_focal(dataset: PosedImages, fit: Fit) -> Finding:
    given, sigma = dataset.camera.fx, fit.focal.sigma
    found = f'{fit.focal.best * given:.0f} px (+- {max(sigma * given, 0.5):.0f})'
    text = f'the focal length is {given:.0f} px; the images fit {found} best'
    off = abs(fit.focal.best - 1)
    if _matters(fit.focal, 1.0, _FOCAL_FAULT):
        return Finding(
            'focal length',
            'fault',
            f'the focal length is {given:.0f} px, but the images fit {found}',
            f'set it to about {fit.focal.best * given:.0f} px, or calibrate the camera; is the '
            'calibration of another camera, or of another image size?',
        )
    if sigma > _UNTOLD_FOCAL:
        return Finding('focal length', 'ok', f'{text}: this motion does not tell it well')
    if _matters(fit.focal, 1.0, _FOCAL_WARNING):
        return Finding(
            'focal length', 'warning', f'{text}, {100 * off:.0f} % off', 'calibrate the camera'
        )
    return Finding('focal length', 'ok', text)


def _judge_offset(fit: Fit, timeline: Timeline) -> Finding:
    if fit.offset is None:
        return Finding(
            'time offset',
            'ok',
            'not tested: the frames are too far apart in time, or not in its order',
        )
    best, sigma = fit.offset.best, fit.offset.sigma
    frames = f'{abs(best) / timeline.frame_s:.1f} frames' + (
        f' at an assumed {ASSUMED_HZ:.0f} Hz, as there are no stamps' if timeline.assumed else ''
    )
    if _matters(fit.offset, 0.0, _OFFSET_FAULT_S) or _matters(fit.offset, 0.0, _OFFSET_WARNING_S):
        severity = 'fault' if abs(best) > _OFFSET_FAULT_S else 'warning'
        when = 'earlier' if best < 0 else 'later'
        add = f'add {-best:.3f} s to' if best < 0 else f'subtract {best:.3f} s from'
        edge = ' or more' if abs(best) >= 0.99 * fit.offset.values[-1] else ''
        return Finding(
            'time offset',
            severity,
            f'images and poses are {abs(best):.2f} s ({frames}){edge} apart: each image fits the '
            f'pose given for that much {when}',
            f'extract the bag again with --pose-delay {best:.3f}, or, where there is none, {add} '
            "the poses' stamps",
        )
    if sigma > _UNTOLD_OFFSET_S:
        text = f'this motion does not tell images and poses apart to better than {sigma:.2f} s'
        return Finding('time offset', 'ok', text)
    return Finding(
        'time offset',
        'ok',
        f'images and poses are {1000 * abs(best):.0f} ms apart (+- {1000 * sigma:.0f} ms, '
        f'{frames})',
    )


def _matters(profile: Profile, given: float, tolerance: float) -> bool:
    return (
        abs(profile.best - given) > max(tolerance, _SIGMAS * profile.sigma)
        and profile.cost_at(given) > _BETTER * profile.costs.min()
    )
