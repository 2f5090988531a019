"""Pairs of images that show the same things from different places, spread over the dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from posemap_ros.check.timeline import Timeline
from posemap_ros.evaluation.errors import rotation_error_deg
from posemap_ros.two_view.features import FeatureMatcher, Match

_CHAINS = 45
_LINKS = ((0, 1), (0, 2), (0, 4), (1, 2), (1, 4), (2, 4))  # in multiples of the gap
_PROBES = 7
_MOTION = 0.04  # share of the image's width by which one gap should move the image
_LONGEST_GAP = 64
_ENOUGH_PAIRS = 30
_POINTS = 45  # of each pair; more do not make the test sharper

Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Matched points of p pairs of frames.

    Attributes:
        a, b: [p] indices of the frames.
        points_a, points_b: [p, k, 2] pixels; where a pair has fewer than k, some are repeated.
        matches: [p] all that is known of each.
        in_order: found by following the frames in time, not by looking for similar poses.
    """

    a: np.ndarray
    b: np.ndarray
    points_a: np.ndarray
    points_b: np.ndarray
    matches: tuple[Match, ...]
    in_order: bool

    def __len__(self) -> int:
        return len(self.a)

    def select(self, mask: np.ndarray) -> Pairs:
        """The pairs that a mask [p] marks."""
        return Pairs(
            self.a[mask],
            self.b[mask],
            self.points_a[mask],
            self.points_b[mask],
            tuple(match for match, used in zip(self.matches, mask) if used),
            self.in_order,
        )

    def thinned(self) -> Pairs:
        """Every second pair with a third of its points, for a coarse search."""
        half = self.select(np.arange(len(self)) % 2 == 0)
        points = slice(_POINTS // 3)
        return replace(half, points_a=half.points_a[:, points], points_b=half.points_b[:, points])


def find_pairs(
    matcher: FeatureMatcher, timeline: Timeline, progress: Progress = lambda it, what, n: it
) -> Pairs:
    """Pairs along the drives; where following frames do not match, among those of similar poses.

    Poses that are all wrong in the same way are still similar where the true ones are.
    """
    gap = _usual_gap(matcher, timeline)
    found: dict[tuple[int, int], Match] = {}
    starts = _spread(timeline.order, _CHAINS)
    for start in progress(starts, 'matching images', len(starts)):
        for i, j in _LINKS:
            a, b = timeline.follow(start, i * gap), timeline.follow(start, j * gap)
            if a is not None and b is not None and (match := matcher.match(a, b)):
                found[a, b] = match
    in_order = len(found) >= _ENOUGH_PAIRS
    if not in_order:
        candidates = _similar_poses(matcher.dataset.poses, starts)
        for a, b in progress(candidates, 'matching similar poses', len(candidates)):
            if match := matcher.match(a, b):
                found[a, b] = match
    return _stack(found, in_order)


def _usual_gap(matcher: FeatureMatcher, timeline: Timeline) -> int:
    """How many frames on the image has changed enough to say something, in the median."""
    gaps = []
    for start in _spread(timeline.order, _PROBES + 2)[1:-1]:
        gap = 1
        while gap < _LONGEST_GAP:
            other = timeline.follow(start, gap)
            match = None if other is None else matcher.match(start, other)
            if match is None:
                gap = max(1, gap // 2)
                break
            if match.displacement_px >= _MOTION * matcher.camera.width:
                break
            gap *= 2
        gaps.append(gap)
    return int(np.median(gaps)) if gaps else 1


def _similar_poses(
    poses: np.ndarray, starts: list[int], neighbours: int = 3
) -> list[tuple[int, int]]:
    """(a, b): the frames nearest to each start in position and direction."""
    spread = np.median(np.linalg.norm(poses[:, :3, 3] - poses[:, :3, 3].mean(0), axis=1))
    pairs = []
    for a in starts:
        distance = np.linalg.norm(poses[:, :3, 3] - poses[a, :3, 3], axis=1) / max(spread, 1e-9)
        distance += rotation_error_deg(poses, poses[a]) / 30.0
        distance[a] = np.inf
        nearest = np.argsort(distance)[: min(neighbours, len(poses) - 1)]
        pairs += [(min(a, int(b)), max(a, int(b))) for b in nearest]
    return list(dict.fromkeys(pairs))


def _spread(order: np.ndarray, count: int) -> list[int]:
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return [int(order[place]) for place in places]


def _stack(found: dict[tuple[int, int], Match], in_order: bool) -> Pairs:
    rng = np.random.default_rng(0)
    points = np.empty((len(found), 2, _POINTS, 2))
    for row, match in zip(points, found.values()):
        count = len(match.points_a)
        kept = rng.permutation(np.resize(np.arange(count), max(count, _POINTS)))[:_POINTS]
        row[0], row[1] = match.points_a[kept], match.points_b[kept]
    index = np.array(list(found), int).reshape(-1, 2)
    return Pairs(
        index[:, 0], index[:, 1], points[:, 0], points[:, 1], tuple(found.values()), in_order
    )
