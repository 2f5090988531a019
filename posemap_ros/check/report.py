"""The page that shows what was checked: findings first, then the pictures they rest on."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from posemap_ros.camera import Camera
from posemap_ros.check.check import Checked
from posemap_ros.check.conventions import AS_GIVEN
from posemap_ros.check.findings import is_content
from posemap_ros.check.fit import Fit, Profile
from posemap_ros.check.geometry_findings import fits
from posemap_ros.rigid import relative_poses
from posemap_ros.support.html_page import Page

_VERDICTS = {'ok': 'good', 'warning': 'warning', 'fault': 'bad'}
_GIVEN, _FOUND, _BAD = '#222222', '#2a6f97', '#d1603d'
_SHOWN_POINTS = 25
_SEGMENT = 0.12  # of the image's width: how much of an epipolar line is drawn
_ARROW = 0.04  # length of a viewing direction, of the widest extent
_SHOWN_JUMPS = 3


def make_report(checked: Checked) -> Page:
    """The page; write it with `Page.write`."""
    dataset, findings = checked.dataset, checked.findings
    page = Page(f'Dataset check: {dataset.root.resolve().name}')
    camera = dataset.camera
    page.paragraph(
        f'{len(dataset)} frames of {camera.width}x{camera.height} px, focal length '
        f'{camera.fx:.1f} x {camera.fy:.1f} px, distortion: {camera.distortion_model}. '
        + ('Nothing stands against training.' if is_content(findings) else 'Not fit for training.')
    )
    for finding in findings:
        page.finding(_VERDICTS[finding.severity], f'{finding.subject}: {finding.sentence}')
    if checked.fit is None:
        return page
    _show_geometry(page, checked)
    _show_coverage(page, checked)
    _show_motion(page, checked)
    _show_exposure(page, checked)
    if checked.retrieval:
        page.heading('What to expect')
        page.figure(
            _errors(checked),
            'Error of the pose of the most similar image, beside the nearest pose there is.',
        )
    return page


def _show_geometry(page: Page, checked: Checked) -> None:
    fit, native = checked.fit, checked.dataset.camera.width / checked.fit.camera.width
    page.heading('Do poses and images fit together?')
    page.paragraph(
        'Points that are matched between two images must lie on the epipolar lines that the '
        'poses of the two give. How far they are from them, over many pairs of images, is shown '
        'for each way to read the poses, and for other focal lengths and time offsets.'
    )
    page.figure(_conventions(fit, native), 'If the poses are ...')
    page.figure(_profiles(checked, native))
    page.images(_epipolar_pictures(checked))


def _conventions(fit: Fit, native: float) -> Figure:
    costs = sorted(fit.costs_px.items(), key=lambda item: -item[1])
    figure = Figure(figsize=(9, 0.42 * len(costs) + 1), layout='constrained')
    axes = figure.add_subplot()
    colours = [
        _FOUND if c is fit.convention else _GIVEN if c is AS_GIVEN else '#b8c4ce' for c, _ in costs
    ]
    labels = [textwrap.fill(c.name, 60) for c, _ in costs]
    # By number: bars of the same label would be drawn as one.
    axes.barh(range(len(costs)), [native * cost for _, cost in costs], color=colours)
    axes.set_yticks(range(len(costs)), labels)
    axes.tick_params(axis='y', labelsize=8)
    axes.set_xlabel('distance from the epipolar lines (px, mean over pairs, capped)')
    return figure


def _profiles(checked: Checked, native: float) -> Figure:
    fit, given = checked.fit, checked.dataset.camera.fx
    figure = Figure(figsize=(9, 3), layout='constrained')
    focal, offset = figure.subplots(1, 2)
    _profile(focal, fit.focal, given, given, native, lambda px: f'{px:.0f} px')
    focal.set_xlabel('focal length (px)')
    if fit.offset is None:
        offset.text(0.5, 0.5, 'not tested', ha='center', transform=offset.transAxes)
        offset.set_axis_off()
    else:
        _profile(offset, fit.offset, 1.0, 0.0, native, lambda s: f'{1000 * s + 0.0:.0f} ms')
        offset.set_xlabel('time offset (s)')
    return figure


def _profile(
    axes: Axes,
    profile: Profile,
    unit: float,
    given: float,
    native: float,
    written: Callable[[float], str],
) -> None:
    """Draw the cost over values in `unit`, with the given one and the best, `written` as text."""
    axes.plot(profile.values * unit, profile.costs * native, color=_FOUND)
    axes.axvline(given, color=_GIVEN, linestyle=':', label=f'given: {written(given)}')
    best = profile.best * unit
    axes.axvline(best, color=_BAD, linewidth=1, label=f'fits best: {written(best)}')
    axes.set_ylim(bottom=0)
    axes.set_ylabel('distance from the lines (px)')
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.legend(fontsize=8)


def _epipolar_pictures(checked: Checked) -> list[tuple[np.ndarray, str]]:
    """Two images of the pair whose misfit is the median: points, and the lines they belong on."""
    fit, pairs, camera = checked.fit, checked.pairs, checked.fit.camera
    middle = int(np.argsort(fit.residuals_px)[len(pairs) // 2])
    a, b = int(pairs.a[middle]), int(pairs.b[middle])
    lines = _lines_in_second(
        pairs.points_a[middle],
        relative_poses(fit.T_world_a[middle], fit.T_world_b[middle]),
        camera,
    )
    first, second = checked.matcher.image(a).copy(), checked.matcher.image(b).copy()
    rng = np.random.default_rng(0)
    for i in range(min(_SHOWN_POINTS, len(lines))):
        colour = tuple(int(v) for v in rng.integers(60, 256, 3))
        for image, points in ((first, pairs.points_a), (second, pairs.points_b)):
            cv2.circle(image, _pixel(points[middle, i]), 3, colour, 1, cv2.LINE_AA)
        start, end = _segment(lines[i], pairs.points_b[middle, i], _SEGMENT * camera.width)
        cv2.line(second, _pixel(start), _pixel(end), colour, 1, cv2.LINE_AA)
    names = checked.dataset.names
    if not fits(fit):
        whose = 'of the poses, which do not fit them'
    elif fit.convention is AS_GIVEN:
        whose = 'of the poses'
    else:
        whose = 'of the poses, put right'
    return [
        (first, f'{names[a]}: matched points'),
        (second, f'{names[b]}: the same points, and the epipolar lines {whose}'),
    ]


def _lines_in_second(points: np.ndarray, T_b_a: np.ndarray, camera: Camera) -> np.ndarray:
    """Epipolar lines [k, 3] of points [k, 2] of the first image."""
    K = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    x, y, z = T_b_a[:3, 3]
    E = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ T_b_a[:3, :3]
    F = np.linalg.inv(K).T @ E @ np.linalg.inv(K)
    return np.concatenate([points, np.ones((len(points), 1))], axis=1) @ F.T


def _segment(line: np.ndarray, near: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the part of a line [3] that is nearest to a point [2]; whole lines would hide
    the image, all the more where they meet, which they do ahead of a camera that drives.
    """
    normal = line[:2] / np.linalg.norm(line[:2])
    foot = near - (line @ (*near, 1.0)) / np.linalg.norm(line[:2]) * normal
    along = length / 2 * np.array([normal[1], -normal[0]])
    return foot - along, foot + along


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return int(round(point[0] - 0.5)), int(round(point[1] - 0.5))


def _show_coverage(page: Page, checked: Checked) -> None:
    page.heading('Where the camera was')
    page.figure(_from_above(checked), 'From above (up is how the cameras were held).')
    page.listing(checked.above.coverage.lines)


def _from_above(checked: Checked) -> Figure:
    """Positions, viewing directions as arrows in the same unit, test frames and gaps."""
    above, split, unit = checked.above, checked.split, checked.dataset.unit
    positions = above.positions[:, :2]
    thin = slice(None, None, max(1, len(positions) // 200))
    extent = np.ptp(positions, axis=0)
    arrows = _ARROW * max(float(extent.max()), 1e-6) * above.forward[:, :2]
    # As wide as the page, and as high as that makes it, arrows and legend included.
    low, high = (
        f(np.vstack([positions, (positions + arrows)[thin]]), axis=0) for f in (np.min, np.max)
    )
    wide, deep = np.maximum(high - low, 1e-6)
    figure = Figure(
        figsize=(9, float(np.clip(9 * deep / wide, 2.2, 8)) + 0.8), layout='constrained'
    )
    axes = figure.add_subplot()
    axes.plot(*positions.T, '.', color=_FOUND, markersize=3, label='frames')
    axes.quiver(
        *positions[thin].T,
        *arrows[thin].T,
        angles='xy',
        scale_units='xy',
        scale=1,
        width=0.0018,
        color='#d4883d',
        label='looking',
    )
    axes.update_datalim([low, high])  # arrows do not count by themselves
    if split is not None:
        tests = np.isin(checked.timeline.order, split.test)
        axes.plot(*positions[tests].T, '.', color='#d4a72c', markersize=4, label='test frames')
    for number, gap in enumerate(above.gaps):
        axes.plot(*positions[gap].T, color=_BAD, linewidth=2, label=None if number else 'gap')
    axes.set_aspect('equal')
    axes.set_xlabel(f'x ({unit})')
    axes.set_ylabel(f'y ({unit})')
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc='lower left', bbox_to_anchor=(0, 1), ncols=4, frameon=False)
    return figure


def _show_motion(page: Page, checked: Checked) -> None:
    unit = checked.dataset.unit
    figure = Figure(figsize=(9, 3), layout='constrained')
    steps, depths = figure.subplots(1, 2)
    steps.plot(checked.motion.steps_m, color=_FOUND, linewidth=0.8)
    steps.set_xlabel('frame')
    steps.set_ylabel(f'step to the next frame ({unit})')
    depths.hist(np.clip(checked.scale.depths_m, 0, np.inf), bins=40, color=_FOUND)
    depths.set_xlabel(f'distance of matched points ({unit})')
    depths.set_ylabel('points')
    page.heading('Motion and scale')
    page.figure(figure)
    names = checked.dataset.names
    for a, b in (*checked.motion.jumps, *checked.motion.stuck)[:_SHOWN_JUMPS]:
        page.images([(checked.matcher.image(i), names[i]) for i in (a, b)])


def _show_exposure(page: Page, checked: Checked) -> None:
    exposure = checked.exposure
    figure = Figure(figsize=(9, 2.5), layout='constrained')
    axes = figure.add_subplot()
    axes.plot(exposure.frames, exposure.brightness, '.', color=_FOUND, markersize=4)
    axes.set_ylim(0, 255)
    axes.set_xlabel('frame')
    axes.set_ylabel('mean brightness')
    page.heading('Exposure')
    page.figure(figure)
    darkest, brightest = (
        int(exposure.frames[f(exposure.brightness)]) for f in (np.argmin, np.argmax)
    )
    names = checked.dataset.names
    page.images(
        [
            (checked.matcher.image(darkest), f'darkest: {names[darkest]}'),
            (checked.matcher.image(brightest), f'brightest: {names[brightest]}'),
        ]
    )


def _errors(checked: Checked) -> Figure:
    retrieval = checked.retrieval
    figure = Figure(figsize=(9, 3), layout='constrained')
    axes = figure.add_subplot()
    share = np.linspace(0, 100, len(retrieval.found_m))
    axes.plot(np.sort(retrieval.found_m), share, color=_FOUND, label='most similar image')
    axes.plot(np.sort(retrieval.nearest_m), share, color='#8a9aa8', label='nearest pose')
    axes.set_xlabel(f'error ({checked.dataset.unit})')
    axes.set_ylabel('images below it (%)')
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure
