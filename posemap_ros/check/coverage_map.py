"""The drive from above: where the camera was, where it looked, and where gaps are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posemap_ros.check.findings import Finding
from posemap_ros.dataset.coverage import Coverage, measure_coverage
from posemap_ros.extraction.upright import upright_rotation

_GAP_OF_DEPTH = 0.1  # what is seen from further apart than this looks different: 0.3 m at 3 m
_MOST_POSITIONS = 1500
_FEW_HEADINGS = 0.25


@dataclass(frozen=True, eq=False)
class SeenFromAbove:
    """Positions and viewing directions in a world whose z is up, and how the positions connect.

    Attributes:
        positions, forward: [n, 3].
        gaps: [g, 2] indices of positions; the shortest ways between parts of the drive that are
            further apart than `gap_m`.
        coverage: the figures.
    """

    positions: np.ndarray
    forward: np.ndarray
    gaps: np.ndarray
    gap_m: float
    coverage: Coverage


def look_from_above(
    poses: np.ndarray, order: np.ndarray, depth_m: float, unit: str = 'm'
) -> SeenFromAbove:
    """From poses [n, 4, 4] in `unit` and their order in time; the scene is `depth_m` away (NaN:
    unknown).
    """
    upright = np.eye(4)
    upright[:3, :3] = upright_rotation(poses)
    turned = upright @ poses[order]
    positions = turned[:, :3, 3]
    kept = np.linspace(0, len(order) - 1, min(len(order), _MOST_POSITIONS)).round().astype(int)
    edges, lengths = _spanning_tree(positions[kept])
    gap = _GAP_OF_DEPTH * depth_m if np.isfinite(depth_m) else np.inf
    # Thinning makes gaps of its own.
    gap = max(gap, 4 * float(np.median(lengths))) if len(lengths) else gap
    return SeenFromAbove(
        positions=positions,
        forward=turned[:, :3, 2],
        gaps=kept[edges[lengths > gap]],
        gap_m=gap,
        coverage=measure_coverage(turned, unit),
    )


def judge_coverage(seen: SeenFromAbove) -> Finding:
    coverage, unit = seen.coverage, seen.coverage.unit
    x, y, z = coverage.extent_m
    text = (
        f'{coverage.frames} frames within {x:.1f} x {y:.1f} x {z:.1f} {unit}, nearest other frame '
        f'{coverage.spacing_m:.2f} {unit} away (median), looking in '
        f'{100 * coverage.headings:.0f} % of all horizontal directions'
    )
    if len(seen.gaps):
        ends = seen.positions[seen.gaps]
        longest = float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).max())
        return Finding(
            'coverage',
            'warning',
            f'{text}; {len(seen.gaps)} gaps of more than {seen.gap_m:.2f} {unit} between places '
            f'that were driven through, the widest {longest:.2f} {unit}',
            'record there, too, if the robot will be there',
        )
    if coverage.headings < _FEW_HEADINGS:
        return Finding(
            'coverage',
            'warning',
            text,
            'where the robot will look another way, record that way, too',
        )
    return Finding('coverage', 'ok', text)


def _spanning_tree(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The minimum spanning tree of points [n, 3]: edges [n - 1, 2] and lengths (Prim, 1957)."""
    count = len(points)
    nearest, parent = np.full(count, np.inf), np.zeros(count, int)
    outside = np.ones(count, bool)
    edges, lengths, current = [], [], 0
    for _ in range(count - 1):
        outside[current] = False
        distance = np.linalg.norm(points - points[current], axis=1)
        closer = outside & (distance < nearest)
        nearest[closer], parent[closer] = distance[closer], current
        current = int(np.argmin(np.where(outside, nearest, np.inf)))
        edges.append((parent[current], current))
        lengths.append(nearest[current])
    return np.array(edges, int).reshape(-1, 2), np.array(lengths)
