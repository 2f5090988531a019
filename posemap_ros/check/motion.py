"""Poses that jump, and poses that stand still while the camera moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.check.findings import Finding
from posemap_ros.check.timeline import Timeline
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.rigid import relative_poses
from posemap_ros.two_view.features import FeatureMatcher, Match

_WINDOW = 5  # steps before and after, with which a step is compared
_TIMES_USUAL = 8.0
_LEAST_STEP, _LEAST_TURN_DEG = 0.03, 3.0  # of the scene's depth; below, nothing is a jump
_MOST_LOOKED_AT = 30
_IMAGE_DISAGREES = 0.05  # of the image's width
_IMAGE_MOVED = 0.004
_STUCK_FAULT, _STUCK_MOTION_FAULT = 0.02, 0.02  # of the frames, and of the image's width
_REPEATED_FAULT = 0.05  # of the scene's depth, between the poses of one image


@dataclass(frozen=True)
class Motion:
    """Where something is wrong, as pairs of indices of frames; one drive's in order of time."""

    jumps: tuple[tuple[int, int], ...]  # consecutive: the poses jump, the images do not
    stuck: tuple[tuple[int, int], ...]  # first and last of a run: one pose, but the images move
    stuck_frames: int  # how many have the pose of another one, though the image moved
    stuck_motion: float  # how far images move in such a run at most, as a share of the width
    repeated: tuple[tuple[int, int], ...]  # the same file twice, but two poses
    repeated_step: float  # the longest of their steps, as a share of the scene's depth
    steps_m: np.ndarray  # [n - 1] between consecutive frames, NaN between drives


def examine_motion(
    matcher: FeatureMatcher,
    poses: np.ndarray,
    camera: Camera,
    timeline: Timeline,
    depth_m: float,
) -> Motion:
    """Look at all steps between consecutive frames; where one is odd, ask the images.

    Args:
        poses: [n, 4, 4] in the convention that fits.
        camera: of the matcher, with the focal length that fits.
        depth_m: how far away the scene is; NaN where that is not known.
    """
    order = timeline.order
    before, after = order[:-1], order[1:]
    same_drive = timeline.drive[before] == timeline.drive[after]
    steps = np.linalg.norm(poses[after, :3, 3] - poses[before, :3, 3], axis=1)
    turns = rotation_error_deg(poses[after], poses[before])
    depth = depth_m if np.isfinite(depth_m) else 10 * float(np.median(steps))
    odd = steps > _unusual(steps, _LEAST_STEP * depth)
    odd |= turns > _unusual(turns, _LEAST_TURN_DEG)
    still = same_drive & (steps == 0) & (turns < 1e-9)
    runs = _runs(still)
    looked_at = sorted(runs, key=len, reverse=True)[:_MOST_LOOKED_AT]
    moved = {
        run: match.displacement_px / camera.width
        for run in sorted(looked_at, key=lambda run: run.start)
        if (match := matcher.match(int(order[run[0]]), int(order[run[-1]])))
        and match.displacement_px > _IMAGE_MOVED * camera.width
    }
    stuck = {(int(order[run[0]]), int(order[run[-1]])) for run in moved}
    # The runs that were not looked at are taken to be like those that were.
    share = sum(map(len, moved)) / max(sum(map(len, looked_at)), 1)
    jumps = [
        (a, b)
        for a, b in _largest(before, after, odd & same_drive, steps)
        # After a pose that was stuck, the next one makes up for it: one mistake, not two.
        if a not in {last for _, last in stuck}
        and (match := matcher.match(a, b))
        and _disagrees(match, relative_poses(poses[a], poses[b]), camera, depth)
    ]
    repeated = [
        pair
        for pair in _repeated_files(matcher, before, after, same_drive & ~still)
        if pair not in jumps
    ]
    return Motion(
        jumps=tuple(jumps),
        stuck=tuple(sorted(stuck)),
        stuck_frames=round(share * sum(len(run) - 1 for run in runs)),
        stuck_motion=max(moved.values(), default=0.0),
        repeated=tuple(repeated),
        repeated_step=max(
            (float(translation_error_m(poses[a], poses[b])) / depth for a, b in repeated),
            default=0.0,
        ),
        steps_m=np.where(same_drive, steps, np.nan),
    )


def judge_motion(motion: Motion, names: list[str], unit: str = 'm') -> list[Finding]:
    """Findings on jumps and on duplicates."""

    def listed(pairs: tuple[tuple[int, int], ...]) -> str:
        shown = ', '.join(f'{names[a]} -> {names[b]}' for a, b in pairs[:3])
        return shown + (', ...' if len(pairs) > 3 else '')

    if motion.jumps:
        steps = f'{len(motion.jumps)} time{"s" if len(motion.jumps) > 1 else ""}'
        jumps = Finding(
            'pose jumps',
            'fault',
            f'the poses jump {steps} where the images do not: {listed(motion.jumps)}',
            'use poses after loop closure (the final trajectory of the SLAM, not the live one), '
            'or cut the recording there',
        )
    else:
        steps = motion.steps_m[np.isfinite(motion.steps_m)]
        figure = f'; the largest step is {steps.max():.2f} {unit}' if len(steps) else ''
        jumps = Finding('pose jumps', 'ok', f'the poses do not jump{figure}')
    if motion.stuck:
        share = motion.stuck_frames / len(names)
        severe = share > _STUCK_FAULT or motion.stuck_motion > _STUCK_MOTION_FAULT
        duplicates = Finding(
            'duplicates',
            'fault' if severe else 'warning',
            f'the pose stands still while the image moves: {100 * share:.0f} % of the frames have '
            f'exactly the pose of another one ({listed(motion.stuck)})',
            'take poses that are interpolated at the stamps of the images, and leave out where '
            'tracking was lost',
        )
    elif motion.repeated:
        duplicates = Finding(
            'duplicates',
            'fault' if motion.repeated_step > _REPEATED_FAULT else 'warning',
            f'the same image comes twice, {len(motion.repeated)} times, with poses up to '
            f"{100 * motion.repeated_step:.1f} % of the scene's distance apart: "
            f'{listed(motion.repeated)}',
            'leave out what the camera sent twice',
        )
    else:
        duplicates = Finding('duplicates', 'ok', 'no pose or image stands for two')
    return [jumps, duplicates]


def _unusual(values: np.ndarray, least: float) -> np.ndarray:
    """For each value [n], how large it would have to be to be odd among its neighbours."""
    padded = np.pad(values, _WINDOW, mode='reflect' if len(values) > _WINDOW else 'edge')
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _WINDOW + 1)
    return np.maximum(_TIMES_USUAL * np.median(windows, axis=1), least)


def _runs(still: np.ndarray) -> list[range]:
    """Runs of places whose poses are the same, from steps [n - 1] that are none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(int), [0]])))
    return [range(int(start), int(end) + 1) for start, end in edges.reshape(-1, 2)]


def _largest(
    before: np.ndarray, after: np.ndarray, mask: np.ndarray, by: np.ndarray
) -> list[tuple[int, int]]:
    """At most so many of the marked steps that looking at their images does not take long."""
    places = np.flatnonzero(mask)
    if len(places) > _MOST_LOOKED_AT:
        places = np.sort(places[np.argsort(-by[places], kind='stable')[:_MOST_LOOKED_AT]])
    return [(int(before[i]), int(after[i])) for i in places]


def _disagrees(match: Match, T_b_a: np.ndarray, camera: Camera, depth: float) -> bool:
    """Would the image have moved quite differently, had the camera moved as the poses say?"""
    x = (match.points_a - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    points = depth * np.concatenate([x, np.ones((len(x), 1))], axis=1)
    seen = camera.project(points @ T_b_a[:3, :3].T + T_b_a[:3, 3])
    off = np.linalg.norm(seen - match.points_b, axis=1)
    return bool(np.median(np.where(np.isnan(off), np.inf, off)) > _IMAGE_DISAGREES * camera.width)


def _repeated_files(
    matcher: FeatureMatcher, before: np.ndarray, after: np.ndarray, mask: np.ndarray
) -> list[tuple[int, int]]:
    frames = matcher.dataset.frames
    sizes = np.array([frame.path.stat().st_size for frame in frames])
    return [
        (int(a), int(b))
        for a, b in zip(before[mask], after[mask])
        if sizes[a] == sizes[b] and frames[a].path.read_bytes() == frames[b].path.read_bytes()
    ]
