"""How far estimated poses are from the true ones, and the figures that summarise it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from posemap_ros.evaluation.uncertainty import share_inside

if TYPE_CHECKING:
    from posemap_ros.dataset import PosedFrame
    from posemap_ros.localizer import Estimate
    from posemap_ros.verification.verifier import Verification

# (name in the summary, metres, degrees): the thresholds of the relocalization literature.
RECALLS = (
    ('recall_5cm_5deg', 0.05, 5.0),
    ('recall_10cm_5deg', 0.10, 5.0),
    ('recall_25cm_10deg', 0.25, 10.0),
)


# From where on a pose that was called verified is wrong.
WRONG_M, WRONG_DEG = 0.25, 10.0


def limits(metres: float, degrees: float, unit: str = 'm') -> str:
    """Two thresholds in words: '5 cm and 5 deg', or in units of arbitrary scale."""
    length = f'{100 * metres:.0f} cm' if unit == 'm' else f'{metres:g} {unit}'
    return f'{length} and {degrees:.0f} deg'


def translation_error_m(T_estimated: np.ndarray, T_true: np.ndarray) -> np.ndarray:
    """Distance between the positions of poses [..., 4, 4]: [...], in the unit of the poses."""
    return np.linalg.norm(T_estimated[..., :3, 3] - T_true[..., :3, 3], axis=-1)


def rotation_error_deg(T_estimated: np.ndarray, T_true: np.ndarray) -> np.ndarray:
    """Angle between the orientations of poses [..., 4, 4] (or rotations [..., 3, 3]): [...].

    From sine and cosine together; the arccos of the trace alone loses half of the digits near 0
    and near 180 degrees.
    """
    R = np.swapaxes(T_true[..., :3, :3], -1, -2) @ T_estimated[..., :3, :3]
    axis = np.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]],
        axis=-1,
    )
    sine = np.linalg.norm(axis, axis=-1) / 2
    cosine = (np.trace(R, axis1=-2, axis2=-1) - 1) / 2
    return np.degrees(np.arctan2(sine, cosine))


def summarize(translation_m: np.ndarray, rotation_deg: np.ndarray) -> dict[str, float]:
    """Frames, medians, 90th percentiles and recalls (fractions 0..1) of errors [n] and [n].

    A recall counts the frames below both of its thresholds. Raises ValueError if there is no frame
    or an error is NaN.
    """
    translation_m, rotation_deg = np.asarray(translation_m), np.asarray(rotation_deg)
    if translation_m.ndim != 1 or translation_m.shape != rotation_deg.shape:
        raise ValueError(
            'expected one translation and one rotation error per frame, got shapes '
            f'{translation_m.shape} and {rotation_deg.shape}'
        )
    if not translation_m.size:
        raise ValueError('there is no frame to evaluate')
    if np.isnan(translation_m).any() or np.isnan(rotation_deg).any():
        raise ValueError('some of the errors to summarize are NaN')
    summary = {
        'frames': int(translation_m.size),
        'median_translation_m': float(np.median(translation_m)),
        'median_rotation_deg': float(np.median(rotation_deg)),
        'p90_translation_m': float(np.percentile(translation_m, 90)),
        'p90_rotation_deg': float(np.percentile(rotation_deg, 90)),
    }
    for name, metres, degrees in RECALLS:
        summary[name] = float(np.mean((translation_m < metres) & (rotation_deg < degrees)))
    return summary


def summarize_verified(
    translation_m: np.ndarray, rotation_deg: np.ndarray, frames: int
) -> dict[str, float]:
    """Of errors [n] and [n] of the poses that were verified of so many frames: their share of all
    frames and, where there are any, medians, the share of all frames verified and within 5 cm and
    5 degrees, and the number of those that are wrong.
    """
    summary: dict[str, float] = {'share': len(translation_m) / frames}
    if not len(translation_m):
        return summary
    name, metres, degrees = RECALLS[0]
    within = (translation_m < metres) & (rotation_deg < degrees)
    return {
        **summary,
        'median_translation_m': float(np.median(translation_m)),
        'median_rotation_deg': float(np.median(rotation_deg)),
        name: float(np.sum(within)) / frames,
        'wrong': int(np.sum((translation_m > WRONG_M) | (rotation_deg > WRONG_DEG))),
    }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was estimated for each of N frames whose true poses are known."""

    frames: tuple[PosedFrame, ...]
    estimates: tuple[Estimate, ...]
    revision: int  # of the environment
    verifications: tuple[Verification, ...] = ()  # of each frame, or none
    unit: str = 'm'  # of lengths; 'units' where the data's scale is arbitrary

    @property
    def T_true(self) -> np.ndarray:
        """True poses, camera to world: [N, 4, 4] float64."""
        return np.stack([frame.T_world_cam for frame in self.frames])

    @property
    def T_estimated(self) -> np.ndarray:
        """Estimated poses, camera to world: [N, 4, 4] float64."""
        return np.stack([estimate.T_map_cam for estimate in self.estimates])

    @property
    def translation_m(self) -> np.ndarray:
        """Translation errors [N]."""
        return translation_error_m(self.T_estimated, self.T_true)

    @property
    def rotation_deg(self) -> np.ndarray:
        """Rotation errors [N]."""
        return rotation_error_deg(self.T_estimated, self.T_true)

    @property
    def sigma_translation_m(self) -> np.ndarray:
        """Predicted standard deviations [N] of the position, per axis."""
        return np.array([estimate.sigma_translation_m for estimate in self.estimates])

    @property
    def sigma_rotation_deg(self) -> np.ndarray:
        """Predicted standard deviations [N] of the rotation, per axis."""
        return np.array([estimate.sigma_rotation_deg for estimate in self.estimates])

    @property
    def verified(self) -> np.ndarray:
        """Indices [n] of the frames whose poses were verified."""
        return np.flatnonzero([v.verified for v in self.verifications])

    @property
    def T_verified(self) -> np.ndarray:
        """Verified poses, camera to world, of the frames `verified`: [n, 4, 4] float64."""
        poses = [self.verifications[i].T_map_cam for i in self.verified]
        return np.array(poses, np.float64).reshape(-1, 4, 4)

    def summary(self) -> dict[str, float]:
        """See `summarize`; also the median ``ms_per_frame``, and ``revision``."""
        return {
            **summarize(self.translation_m, self.rotation_deg),
            'ms_per_frame': float(np.median([e.inference_ms for e in self.estimates])),
            'revision': self.revision,
            **({'verified': self._verified_summary()} if self.verifications else {}),
        }

    @property
    def verified_errors(self) -> tuple[np.ndarray, np.ndarray]:
        """Errors [n] and [n] of the verified poses: metres and degrees."""
        T_found, T_true = self.T_verified, self.T_true[self.verified]
        return translation_error_m(T_found, T_true), rotation_error_deg(T_found, T_true)

    def _verified_summary(self) -> dict[str, float]:
        """See `summarize_verified`; also the processor time and, where poses were verified, the
        shares of errors inside their predicted regions.
        """
        metres, degrees = self.verified_errors
        summary = {
            **summarize_verified(metres, degrees, len(self.frames)),
            'ms_per_frame': 1e3 * float(np.median([v.seconds for v in self.verifications])),
        }
        if not len(metres):
            return summary
        found = [self.verifications[i] for i in self.verified]
        sigma_m = np.array([v.sigma_translation_m for v in found])
        sigma_deg = np.array([v.sigma_rotation_deg for v in found])
        return {
            **summary,
            'translation_inside_50': share_inside(metres, sigma_m, 0.5),
            'translation_inside_90': share_inside(metres, sigma_m, 0.9),
            'rotation_inside_50': share_inside(degrees, sigma_deg, 0.5),
            'rotation_inside_90': share_inside(degrees, sigma_deg, 0.9),
        }
