"""What there is to see of a mapped place besides its radiance field: its points, and from where
it was photographed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posemap_ros.environment import Environment
from posemap_ros.landmarks.landmark_map import LandmarkMap

# The box that a place fills leaves out this share of its points at either end of each axis, and
# has this much more room on either side.
_OUTSIDE, _MARGIN = 0.01, 0.1


@dataclass(frozen=True, eq=False)
class Place:
    """N points and P photos.

    Attributes:
        points: [N, 3] float32, the landmarks, map, metres.
        sigmas: [N] float32, standard deviation of each, metres.
        T_world_cam: [P, 4, 4] float64, the photos' poses (optical axes), in the dataset's order.
        seen_from: [N] index of a photo that shows the point.
    """

    points: np.ndarray
    sigmas: np.ndarray
    T_world_cam: np.ndarray
    seen_from: np.ndarray

    @classmethod
    def of(cls, environment: Environment) -> Place | None:
        """Of an environment as it was built; None where no landmarks were mapped.

        Raises:
            InvalidLandmarks: with a sentence.
        """
        if environment.landmarks is None:
            return None
        return cls.from_landmarks(LandmarkMap.load(environment.landmarks))

    @classmethod
    def from_landmarks(cls, landmarks: LandmarkMap) -> Place:
        """What there is to see of a map of landmarks. Left out are those that no photo shows any
        more, and the few far outside the place, whose depth nobody knew.
        """
        seen, sighting = np.unique(landmarks.seen, return_index=True)
        photo = np.searchsorted(landmarks.photo_offsets, sighting, side='right') - 1
        inside = _inside(landmarks.points[seen])
        kept = seen[inside]
        return cls(
            landmarks.points[kept], landmarks.sigmas[kept], landmarks.T_world_cam, photo[inside]
        )


def _inside(points: np.ndarray) -> np.ndarray:
    """Which of the points [N, 3] lie within the box that most span, or about: [N] bool."""
    if not len(points):
        return np.ones(0, bool)
    low, high = np.percentile(points, (100 * _OUTSIDE, 100 * (1 - _OUTSIDE)), axis=0)
    margin = _MARGIN * (high - low)
    return ((points >= low - margin) & (points <= high + margin)).all(1)
