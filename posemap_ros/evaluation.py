"""How far estimated poses are from the true ones, and the figures that summarise it."""

from __future__ import annotations

import numpy as np

# (name in the summary, metres, degrees): the thresholds of the relocalization literature.
RECALLS = (
    ('recall_5cm_5deg', 0.05, 5.0),
    ('recall_10cm_5deg', 0.10, 5.0),
    ('recall_25cm_10deg', 0.25, 10.0),
)


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
