"""What an environment's verdicts and covariances are calibrated to: photos of the place itself,
localized by the rest of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from posemap_ros.evaluation.uncertainty import CHI3_QUANTILES
from posemap_ros.support import commands

_REMAKE = 'make the landmarks again: ' + commands.stage(
    'map_landmarks', '--environment', 'ENVIRONMENT', '--data', 'DATA'
)
_LARGEST = 1000.0
_SHARES, _RADII = zip(*CHI3_QUANTILES.items())
# Errors have heavier tails than a Gaussian, so no spread fits all shares: nine in ten count more
# than half, because the worst that a filter can be told is that a bad pose is sure.
_WEIGHTS = (1.0, 3.0)
# No threshold is so high, whatever was measured, that nothing would be verified.
_MOST_AGREEING, _MOST_ALONE = 12.0, 16.0
# How far above the best supported wrong pose a threshold is put.
_CLEAR_AGREEING, _CLEAR_ALONE = 1.25, 2.0


class InvalidCalibration(ValueError):
    """Figures that no calibration gives; says which."""


@dataclass(frozen=True)
class Calibration:
    """Thresholds of the verdict, and how the solver's covariance becomes that of real errors.

    Where an environment brings none, these defaults serve.

    Attributes:
        support_agreeing, support_alone: `Evidence.support` that is needed, where the estimate or
            the prior agrees, and where neither does.
        stretch_m, stretch_rad: factors on the solver's standard deviations.
        floor_m, floor_rad: standard deviations per axis that no number of matches removes: errors
            of the map's and the photos' poses.
    """

    support_agreeing: float = 4.5
    support_alone: float = 7.0
    stretch_m: float = 2.0
    stretch_rad: float = 2.0
    floor_m: float = 0.01
    floor_rad: float = 0.005

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or not 0 <= value <= _LARGEST:
                raise InvalidCalibration(
                    f'{field.name} of the verification cannot be {value!r}: {_REMAKE}'
                )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Inverse of `to_dict`; what is missing has its default. Raises `InvalidCalibration`."""
        known = {field.name for field in fields(cls)}
        if not isinstance(values, Mapping) or set(values) - known:
            raise InvalidCalibration(
                'the figures of the verification are not those of this version of posemap_ros: '
                + _REMAKE
            )
        return cls(**values)

    def to_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)

    def calibrated(self, covariance: np.ndarray) -> np.ndarray:
        """The covariance [6, 6] of real errors, from a solver's."""
        stretch = np.repeat((self.stretch_m, self.stretch_rad), 3)
        floor = np.repeat((self.floor_m, self.floor_rad), 3)
        return covariance * np.outer(stretch, stretch) + np.diag(floor**2)


def fit_thresholds(supports: np.ndarray) -> tuple[float, float]:
    """Thresholds where something agrees and where nothing does, from the support [n] that poses
    known to be wrong had. They are never below the defaults: that wrong poses had little support
    here, or that there were none, does not make the next one right.
    """
    highest = float(np.max(supports, initial=0.0))
    agreeing, alone = Calibration.support_agreeing, Calibration.support_alone
    return (
        float(np.clip(_CLEAR_AGREEING * highest, agreeing, _MOST_AGREEING)),
        float(np.clip(_CLEAR_ALONE * highest, alone, _MOST_ALONE)),
    )


def fit_spread(errors: np.ndarray, sigmas: np.ndarray) -> tuple[float, float]:
    """The stretch and the floor after which half of the errors [n] lie inside the 50 % radius and
    nine in ten inside the 90 % radius, of the easy half of the images and of the hard one alike.

    Args:
        errors: lengths in metres or radians.
        sigmas: [n] the solver's, per axis, which also tell how hard an image was.
    """
    usual = float(np.median(errors) / _RADII[0])
    stretches = np.geomspace(0.3, 30.0, 60)[:, None, None]
    floors = (usual * np.linspace(0.0, 2.0, 41))[None, :, None]
    spreads = np.hypot(stretches * sigmas, floors)
    hard = sigmas > np.median(sigmas)
    miss = np.zeros(spreads.shape[:2])
    for share, radius, weight in zip(_SHARES, _RADII, _WEIGHTS):
        inside = errors <= radius * spreads
        for part in (hard, ~hard):
            if part.any():
                wanted = _share_to_hold(share, int(part.sum()))
                off = inside[..., part].mean(axis=-1) - wanted
                miss += part.mean() * weight * off**2
    stretch, floor = np.unravel_index(np.argmin(miss), miss.shape)
    return float(stretches[stretch, 0, 0]), float(floors[0, floor, 0])


def cautious_spread(errors: np.ndarray, least: float) -> tuple[float, float]:
    """The stretch and the floor where too few errors [n] are known to fit them: a floor whose 90 %
    radius holds the largest of them, or whose 50 % radius does where they are fewer than nine,
    and that is not below ``least``.
    """
    # The next error is smaller than the largest of n with a probability of n / (n + 1).
    held = len(errors) / (len(errors) + 1)
    radius = max((r for share, r in CHI3_QUANTILES.items() if share <= held), default=_RADII[0])
    return Calibration.stretch_m, max(least, float(np.max(errors, initial=0.0)) / radius)


def _share_to_hold(share: float, count: int) -> float:
    """What share of so many images must lie inside a region for the next one to do so with a
    probability of ``share`` (split conformal prediction).
    """
    return min(1.0, (count + 1) * share / count)
