"""Which photos of the map look at what a camera sees, and which of their landmarks it sees."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.landmarks.landmark_map import LandmarkMap

# A landmark is hardly recognised from a direction that differs more, or from so many times
# nearer or farther.
_WIDEST_ANGLE = np.cos(np.radians(60.0))
_SCALE_CHANGE = 2.5
_ALIKE = 0.05
_POWER = 2
_ROOM_M = (1.0, 4.0)  # from how far landmarks of rooms are usually seen


class Visibility:
    """What can be seen from where, by the photos that saw it.

    Attributes:
        directions: [L, 3] float32, unit vectors from landmarks to where they were seen from.
        distances: [L] float32, from how far, metres.
        reach: from how far landmarks are usually seen, metres, or the nearer ones of a place that
            looks out on a horizon.
        scale: what lengths that suit a room are multiplied by here.
    """

    def __init__(self, landmarks: LandmarkMap) -> None:
        self._map = landmarks
        photo = np.repeat(np.arange(len(landmarks.T_world_cam)), np.diff(landmarks.photo_offsets))
        seen = landmarks.seen
        towards = landmarks.T_world_cam[photo, :3, 3] - landmarks.points[seen]
        length = np.linalg.norm(towards, axis=1)
        count = np.maximum(np.bincount(seen, minlength=len(landmarks)), 1)
        directions = np.stack(
            [
                np.bincount(seen, weights=towards[:, i] / length, minlength=len(landmarks))
                for i in range(3)
            ],
            axis=1,
        )
        directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-9)
        self.directions = directions.astype(np.float32)
        distances = np.bincount(seen, weights=np.log(length), minlength=len(landmarks)) / count
        self.distances = np.exp(distances).astype(np.float32)
        # A horizon says nothing about where one is, however many landmarks lie there.
        near, usual = np.quantile(self.distances, (0.25, 0.5))
        self.reach = float(min(usual, 2.0 * near))
        # A pixel that is a centimetre wide two metres away is ten centimetres wide at twenty:
        # where all things are far away, no pose can be as exact as in a room, nor needs to be.
        # And where the unit of length is arbitrary, only this says what is far.
        self.scale = min(1.0, self.reach / _ROOM_M[0]) * max(1.0, self.reach / _ROOM_M[1])

    def apart(self, T_map_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By how much the views of the photos differ from that of a pose [4, 4]: [P] how far away
        they are, in reaches, and [P] by how much they are turned, radians.
        """
        T = self._map.T_world_cam
        shift = np.linalg.norm(T[:, :3, 3] - T_map_cam[:3, 3], axis=1) / self.reach
        cosine = (np.einsum('nij,ij->n', T[:, :3, :3], T_map_cam[:3, :3]) - 1) / 2
        return shift, np.arccos(np.clip(cosine, -1.0, 1.0))

    def photos_near(self, T_map_cam: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the ``count`` photos whose view is most like that of a pose [4, 4], fewer
        where fewer look the same way; and how alike the views are, 0..1.
        """
        shift, turn = self.apart(T_map_cam)
        apart = np.where(turn < np.radians(75.0), shift + turn, np.inf)
        count = min(count, len(apart))
        nearest = np.argpartition(apart, count - 1)[:count]
        nearest = nearest[np.argsort(apart[nearest], kind='stable')]
        nearest = nearest[np.isfinite(apart[nearest])]
        likeness = 1 / (1 + (apart[nearest] / _ALIKE) ** _POWER)
        return nearest, likeness

    def landmarks_of(
        self, photos: np.ndarray, likeness: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks that these photos see, those that most of them see first, and where these
        photos place them: [m] indices, [m, 3] float32.

        Poses drift by a centimetre or two along a drive. A pose is wanted in the terms of the
        photos near it, so these have their say on landmarks in proportion to their ``likeness``.
        """
        if not len(photos):
            return np.empty(0, np.int32), np.empty((0, 3), np.float32)
        offsets = self._map.photo_offsets
        parts = [slice(offsets[p], offsets[p + 1]) for p in photos]
        seen = np.concatenate([self._map.seen[part] for part in parts])
        places = np.concatenate([self._map.seen_points[part] for part in parts])
        weights = np.repeat(likeness, [part.stop - part.start for part in parts])
        landmarks, group, counts = np.unique(seen, return_inverse=True, return_counts=True)
        total = np.bincount(group, weights)
        points = np.stack([np.bincount(group, weights * axis) for axis in places.T], axis=1)
        order = np.argsort(-counts, kind='stable')
        return landmarks[order], (points / total[:, None])[order].astype(np.float32)

    def project(
        self, landmarks: np.ndarray, points: np.ndarray, T_map_cam: np.ndarray, camera: Camera
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where landmarks [m] appear in a camera at a pose.

        Returns:
            pixels [m, 2], depths [m], and whether each [m] could be recognised from there.
        """
        R, centre = T_map_cam[:3, :3], T_map_cam[:3, 3]
        away = points - centre
        in_camera = away @ R
        z = in_camera[:, 2]
        length = np.linalg.norm(away, axis=1)
        with np.errstate(divide='ignore', invalid='ignore'):
            pixels = in_camera[:, :2] / z[:, None] * (camera.fx, camera.fy)
            pixels = pixels + (camera.cx, camera.cy)
            cosine = -np.einsum('ij,ij->i', away, self.directions[landmarks]) / length
            scale = length / self.distances[landmarks]
        seen = (z > 0.05) & (cosine > _WIDEST_ANGLE)
        seen &= (scale < _SCALE_CHANGE) & (scale > 1 / _SCALE_CHANGE)
        return pixels, z, seen
