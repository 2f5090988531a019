"""How far away the scene is, in the unit of the poses: can that be metres?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posemap_ros.check.findings import Finding
from posemap_ros.check.fit import Fit
from posemap_ros.check.pairs import Pairs
from posemap_ros.check.timeline import ASSUMED_HZ, Timeline
from posemap_ros.rigid import relative_poses
from posemap_ros.support import commands
from posemap_ros.two_view.midpoint import distances, unit_rays

_PARALLAX_DEG = (3.0, 1.0, 0.3)  # the widest that enough points have
_ENOUGH_POINTS = 100
_PLAUSIBLE_DEPTH_M = (0.15, 300.0)
_FASTEST_M_S = 50.0
# The share of points in front of the camera: below the one, positions have the wrong sign; below
# the other, the camera moved so little that the sign is left to chance.
_MOST_BEHIND, _FEWEST_IN_FRONT = 0.2, 0.7
_UNITS = (('millimetres', 0.001), ('centimetres', 0.01), ('kilometres', 1000))


@dataclass(frozen=True, eq=False)
class Scale:
    """Depths of matched points, and how the camera moved; in metres, if poses are metric."""

    depths_m: np.ndarray  # [m], of triangulated points in front of both cameras
    in_front: float  # the share of points that are; 1 with nothing triangulated
    speeds_m_s: np.ndarray  # between consecutive frames
    metric: bool  # False: the dataset itself says that its unit is arbitrary

    @property
    def depth_m(self) -> float:
        """The median; NaN where nothing could be triangulated."""
        return float(np.median(self.depths_m)) if len(self.depths_m) else float('nan')


def measure_scale(
    poses: np.ndarray, pairs: Pairs, fit: Fit, timeline: Timeline, *, metric: bool = True
) -> Scale:
    """From the poses [n, 4, 4] in the convention that fits."""
    depths, parallax = _triangulate(pairs, fit)
    for least in _PARALLAX_DEG:
        wide = (depths != 0) & (parallax >= np.radians(least))
        if wide.sum() >= _ENOUGH_POINTS:
            break
    front = wide & (depths > 0)
    in_front = float(front.sum() / wide.sum()) if wide.any() else 1.0
    order = timeline.order
    same_drive = np.diff(timeline.drive[order]) == 0
    steps = np.linalg.norm(np.diff(poses[order, :3, 3], axis=0), axis=1)
    speeds = (steps / np.diff(timeline.seconds[order]))[same_drive]
    return Scale(
        depths_m=depths[front] if in_front > _FEWEST_IN_FRONT else np.empty(0),
        in_front=in_front,
        speeds_m_s=speeds,
        metric=metric,
    )


def judge_scale(scale: Scale, timeline: Timeline, root: Path) -> Finding:
    """Is it plausible that the poses, of the dataset in the folder `root`, are in metres?"""
    rescaled = ('rescale_dataset', '--data', root)
    if scale.in_front < _MOST_BEHIND:
        return Finding(
            'scale',
            'fault',
            f'{100 * (1 - scale.in_front):.0f} % of the points come out behind the camera: '
            'positions have the wrong sign',
            'negate the positions, or look for axes of the wrong sign',
        )
    if not scale.metric:
        return Finding(
            'scale',
            'warning',
            'the scale is arbitrary, says the dataset: its units are no metres',
            'use the environment only where the unit does not matter, or measure a distance: '
            + commands.stage(*rescaled, '--distance', 'FRAME', 'FRAME', 'METRES'),
        )
    if not len(scale.depths_m):
        return Finding(
            'scale',
            'warning',
            'the camera moved too little for the distance of the scene to be measured',
            'drive past things, do not only turn',
        )
    near, far = np.percentile(scale.depths_m, [5, 95])
    speed = float(np.percentile(scale.speeds_m_s, 95)) if len(scale.speeds_m_s) else 0.0
    at = f' (at an assumed {ASSUMED_HZ:.0f} Hz)' if timeline.assumed else ''
    text = (
        f'what the camera sees is {scale.depth_m:.2f} m away (median; 90 % between {near:.2f} '
        f'and {far:.2f} m), and it moves at up to {speed:.2f} m/s{at}'
    )
    low, high = _PLAUSIBLE_DEPTH_M
    too_fast = not timeline.assumed and speed > _FASTEST_M_S
    if low <= scale.depth_m <= high and not too_fast:
        return Finding('scale', 'ok', f'{text}: plausibly metres')
    way_out = 'is it the arbitrary scale of a monocular SLAM? Measure a distance: ' + (
        commands.stage(*rescaled, '--distance', 'FRAME', 'FRAME', 'METRES')
    )
    for unit, metres in _UNITS:
        if 2 * low <= metres * scale.depth_m <= high / 5:
            way_out = f'are these {unit}? {commands.stage(*rescaled, "--factor", metres)}'
            break
    return Finding('scale', 'fault', f'{text}: hardly metres', way_out)


def _triangulate(pairs: Pairs, fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Depths in the first image and angles between the rays: [p * k] each.

    A depth is negative where the point is behind either camera.
    """
    camera, T_a_b = fit.camera, relative_poses(fit.T_world_b, fit.T_world_a)
    rays_a = unit_rays(pairs.points_a, camera)
    rays_b = unit_rays(pairs.points_b, camera) @ np.swapaxes(T_a_b[:, :3, :3], 1, 2)
    distance_a, distance_b, cosine = distances(rays_a, rays_b, T_a_b[:, None, :3, 3])
    depth = distance_a * rays_a[..., 2]
    depth = np.where((distance_a > 0) & (distance_b > 0), depth, -np.abs(depth))
    return depth.ravel(), np.arccos(np.clip(cosine, -1, 1)).ravel()
