"""How well frames cover a place: what to know before spending an hour on training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SECTORS = 36  # of 10 degrees


@dataclass(frozen=True)
class Coverage:
    """Figures of camera positions and viewing directions; lengths in `unit`, z is up."""

    frames: int
    path_length_m: float
    extent_m: tuple[float, float, float]  # of the box around the positions
    height_m: tuple[float, float]  # lowest and highest z
    spacing_m: float  # median distance to the nearest other frame
    headings: float  # share of the 36 horizontal viewing directions that were looked in
    largest_blind_deg: float  # the widest range of directions that was not
    pitch_deg: tuple[float, float]  # lowest and highest
    unit: str = 'm'

    def __str__(self) -> str:
        return '\n'.join(self.lines)

    @property
    def lines(self) -> list[str]:
        """What to show, a line for each thing."""
        (x, y, z), unit = self.extent_m, self.unit
        apart = f'{100 * self.spacing_m:.1f} cm'
        if unit != 'm':
            apart = f'{self.spacing_m:.3g} {unit}'
        return [
            f'{self.frames} frames, {self.path_length_m:.1f} {unit} of path',
            f'positions within {x:.2f} x {y:.2f} x {z:.2f} {unit}, '
            f'height (z) {self.height_m[0]:.2f} to {self.height_m[1]:.2f} {unit}',
            f'nearest other frame {apart} away (median)',
            f'looking in {100 * self.headings:.0f} % of all horizontal directions, '
            f'widest range not seen {self.largest_blind_deg:.0f} deg; '
            f'pitch {self.pitch_deg[0]:.0f} to {self.pitch_deg[1]:.0f} deg',
        ]


def measure_coverage(poses: np.ndarray, unit: str = 'm') -> Coverage:
    """Coverage of T_world_cam [n, 4, 4], in order of time, whose positions are in `unit`."""
    positions, forward = poses[:, :3, 3], poses[:, :3, 2]
    horizontal = np.degrees(np.arctan2(forward[:, 1], forward[:, 0])) % 360
    seen = np.zeros(_SECTORS, bool)
    seen[(horizontal * _SECTORS / 360).astype(int) % _SECTORS] = True
    pitch = np.degrees(np.arcsin(np.clip(forward[:, 2], -1, 1)))
    return Coverage(
        frames=len(poses),
        path_length_m=float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum()),
        extent_m=tuple(np.ptp(positions, axis=0).tolist()),
        height_m=(float(positions[:, 2].min()), float(positions[:, 2].max())),
        spacing_m=_median_nearest(positions),
        headings=float(seen.mean()),
        largest_blind_deg=_longest_run(~seen) * 360 / _SECTORS,
        pitch_deg=(float(pitch.min()), float(pitch.max())),
        unit=unit,
    )


def _median_nearest(positions: np.ndarray) -> float:
    """Median distance from each position [n, 3] to its nearest other one; 0 for a single one."""
    if len(positions) < 2:
        return 0.0
    nearest = np.empty(len(positions))
    for start in range(0, len(positions), 256):  # in blocks, so that memory stays small
        block = positions[start : start + 256]
        distances = np.linalg.norm(block[:, None] - positions[None], axis=-1)
        distances[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        nearest[start : start + 256] = distances.min(axis=1)
    return float(np.median(nearest))


def _longest_run(marked: np.ndarray) -> int:
    """The longest run of True in a circle."""
    longest = run = 0
    for value in np.concatenate([marked, marked]):
        run = run + 1 if value else 0
        longest = max(longest, run)
    return min(longest, len(marked))
