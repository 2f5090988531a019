"""The world of poses from images alone: its scale, and which way is up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from posemap_ros.dataset.errors import DatasetError
from posemap_ros.extraction.upright import is_upright_known, upright_rotation

Scale = Literal['metric', 'arbitrary']

_FEWEST_KNOWN = 3
_INLIER = 0.05  # of the extent of the known positions: odometry drifts
_FEWEST_INLIERS = 0.5
_LINE = 0.05  # second over first extent, below which positions lie on a line
_TRIALS = 500


@dataclass(frozen=True, eq=False)
class WorldAlignment:
    """Poses in their final world, and what was done to get there."""

    T_world_cam: list[np.ndarray | None]
    scale: Scale
    report: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Similarity:
    """x -> scale * rotation @ x + translation."""

    scale: float
    rotation: np.ndarray
    translation: np.ndarray

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Of points [n, 3]."""
        return self.scale * points @ self.rotation.T + self.translation

    def of_pose(self, T: np.ndarray) -> np.ndarray:
        """The pose [4, 4] in the new world: the rotation turns, the position moves."""
        moved = T.copy()
        moved[:3, :3] = self.rotation @ T[:3, :3]
        moved[:3, 3] = self(T[None, :3, 3])[0]
        return moved


def align_world(
    poses: Sequence[np.ndarray | None],
    metric_poses: Sequence[np.ndarray | None] | None = None,
    distance: tuple[int, int, float] | None = None,
) -> WorldAlignment:
    """Give poses of unknown scale and world both, as far as they are known.

    A distance in metres between two poses sets the scale alone; metric poses set the scale and,
    unless they lie on a line, the world. Where the world stays free, z is turned up. Raises
    `DatasetError` if a distance is given that cannot be used.
    """
    if distance is not None:
        factor = _factor(poses, distance)
        return _turned_up(
            poses,
            factor,
            'metric',
            f'scale: from the distance of {distance[2]:g} m between frames {distance[0]} and '
            f'{distance[1]}',
        )
    if metric_poses is None or all(T is None for T in metric_poses):
        return _turned_up(poses, 1.0, 'arbitrary', _ARBITRARY)
    both = [i for i, T in enumerate(poses) if T is not None and metric_poses[i] is not None]
    source, target = (
        np.array([some[i][:3, 3] for i in both]).reshape(-1, 3) for some in (poses, metric_poses)
    )
    extent = float(np.linalg.norm(np.ptp(target, axis=0))) if len(both) else 0.0
    found = robust_similarity(source, target, _INLIER * extent) if extent > 0 else None
    if found is None:
        return _turned_up(
            poses,
            1.0,
            'arbitrary',
            f'the {len(both)} known positions do not fit the reconstruction (or do not move); '
            + _ARBITRARY,
        )
    similarity, inliers = found
    off = np.linalg.norm(similarity(source[inliers]) - target[inliers], axis=1)
    figures = (
        f'by {inliers.sum()} of {len(both)} known positions, which fit to '
        f'{np.sqrt(np.mean(off**2)):.3f} m (root mean square)'
    )
    spread = np.linalg.svd(target[inliers] - target[inliers].mean(axis=0), compute_uv=False)
    if spread[1] < _LINE * spread[0]:
        return _turned_up(poses, similarity.scale, 'metric', f'scale: {figures}, along a line')
    return WorldAlignment(
        [None if T is None else similarity.of_pose(T) for T in poses],
        'metric',
        (f'scale and world: {figures}',),
    )


_ARBITRARY = (
    'scale: ARBITRARY, because nothing metric is known; give odometry, or the distance between '
    'two frames'
)


def similarity_between(source: np.ndarray, target: np.ndarray) -> Similarity:
    """The similarity that takes points [n, 3] nearest to others [n, 3], by least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991, equations 40 to 43.
    """
    mean_s, mean_t = source.mean(axis=0), target.mean(axis=0)
    s, t = source - mean_s, target - mean_t
    U, D, Vt = np.linalg.svd(t.T @ s / len(source))
    sign = np.diag([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])
    R = U @ sign @ Vt
    scale = float((D * np.diag(sign)).sum() / np.mean((s**2).sum(axis=1)))
    return Similarity(scale, R, mean_t - scale * R @ mean_s)


def robust_similarity(
    source: np.ndarray, target: np.ndarray, max_error: float
) -> tuple[Similarity, np.ndarray] | None:
    """Like `similarity_between`, despite outliers; also which points [n] are none (RANSAC).

    None if fewer than half of the points agree, or all are in one place.
    """
    if len(source) < _FEWEST_KNOWN:
        return None
    rng, best = np.random.default_rng(0), np.zeros(len(source), bool)
    for _ in range(_TRIALS):
        three = rng.choice(len(source), 3, replace=False)
        if np.ptp(source[three], axis=0).max() < 1e-9 * max(np.ptp(source, axis=0).max(), 1e-30):
            continue
        similarity = similarity_between(source[three], target[three])
        inliers = _agree(similarity, source, target, max_error)
        if inliers.sum() > best.sum():
            best = inliers
    if best.sum() < max(_FEWEST_KNOWN, _FEWEST_INLIERS * len(source)):
        return None
    for _ in range(3):  # with all that agree, more may
        similarity = similarity_between(source[best], target[best])
        best = _agree(similarity, source, target, max_error)
    return similarity, best


def _agree(
    similarity: Similarity, source: np.ndarray, target: np.ndarray, max_error: float
) -> np.ndarray:
    return np.linalg.norm(similarity(source) - target, axis=1) <= max_error


def _factor(poses: Sequence[np.ndarray | None], distance: tuple[int, int, float]) -> float:
    a, b, metres = distance
    for index in (a, b):
        if not 0 <= index < len(poses) or poses[index] is None:
            raise DatasetError(
                f'the distance between frames {a} and {b} cannot set the scale: frame {index} is '
                'not registered'
            )
    if not 0 < metres < np.inf:
        raise DatasetError(f'the distance between two frames must be positive, not {metres:g} m')
    apart = float(np.linalg.norm(poses[a][:3, 3] - poses[b][:3, 3]))
    if apart < 1e-9:
        raise DatasetError(f'frames {a} and {b} were taken from the same place')
    return metres / apart


def _turned_up(
    poses: Sequence[np.ndarray | None], factor: float, scale: Scale, sentence: str
) -> WorldAlignment:
    known = np.stack([T for T in poses if T is not None])
    similarity = Similarity(factor, upright_rotation(known), np.zeros(3))
    up = (
        'z is up, judged by how the camera was held'
        if is_upright_known(known)
        else 'which way is up is not known: the camera was held every way'
    )
    return WorldAlignment(
        [None if T is None else similarity.of_pose(T) for T in poses], scale, (sentence, up)
    )
