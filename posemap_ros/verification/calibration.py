"""What an environment's verdicts and covariances were calibrated to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

# The most that any threshold may be: of cells 12 x 9.
_CELLS = 108


class InvalidCalibration(ValueError):
    """Figures that no calibration gives; says which."""


@dataclass(frozen=True)
class Calibration:
    """Thresholds of the verdict, and how the solver's covariance becomes that of real errors.

    Where the environment brings none these defaults serve, which are on the safe side.

    Attributes:
        cells_agreeing, cells_alone: parts of the image in which landmarks must be found, where
            the estimate or the prior agrees and where neither does.
        share_agreeing, share_alone: of the parts in which landmarks should be visible.
        stretch_m, stretch_rad: factors on the solver's standard deviations.
        floor_m, floor_rad: standard deviation per axis that no number of matches removes: the
            map's own errors.
    """

    cells_agreeing: int = 12
    cells_alone: int = 18
    share_agreeing: float = 0.3
    share_alone: float = 0.4
    stretch_m: float = 2.0
    stretch_rad: float = 2.0
    floor_m: float = 0.01
    floor_rad: float = 0.005

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or not 0 <= value <= _CELLS:
                raise InvalidCalibration(f'{field.name} of a calibration cannot be {value!r}')

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Inverse of `to_dict`. Raises `InvalidCalibration`."""
        if not isinstance(values, Mapping):
            raise InvalidCalibration(f'a calibration is a mapping, not {type(values).__name__}')
        known = {field.name for field in fields(cls)}
        if unknown := sorted(map(str, set(values) - known)):
            raise InvalidCalibration(f'a calibration has no {", ".join(unknown)}')
        return cls(**values)

    def to_dict(self) -> dict[str, float]:
        """Plain numbers."""
        return asdict(self)

    def calibrated(self, covariance: np.ndarray) -> np.ndarray:
        """The covariance [6, 6] of real errors, from a solver's."""
        stretch = np.repeat((self.stretch_m, self.stretch_rad), 3)
        floor = np.repeat((self.floor_m, self.floor_rad), 3)
        return covariance * np.outer(stretch, stretch) + np.diag(floor**2)
