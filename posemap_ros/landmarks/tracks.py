"""Keypoints of many photos that are one point of the place, from matches between two."""

from __future__ import annotations

import numpy as np


def join_tracks(
    count: int, photo: np.ndarray, matches: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    """The track of each of ``count`` keypoints: [count] numbers from 0 on.

    Matches join keypoints, those most alike first, unless two of the same photo would come
    together: one point is not seen twice, so one of the matches is wrong, and the worse one is
    left out.

    Args:
        photo: [count] the photo of each keypoint.
        matches: [m, 2] keypoints.
        distances: [m] how much those differ.
    """
    track = list(range(count))
    members: dict[int, list[int]] = {}
    photos: dict[int, set[int]] = {}
    photo_of = photo.tolist()
    for a, b in matches[np.argsort(distances, kind='stable')].tolist():
        a, b = track[a], track[b]
        if a == b:
            continue
        seen_a, seen_b = photos.get(a) or {photo_of[a]}, photos.get(b) or {photo_of[b]}
        if not seen_a.isdisjoint(seen_b):
            continue
        if len(seen_a) < len(seen_b):
            a, b, seen_a, seen_b = b, a, seen_b, seen_a
        joined = members.pop(b, [b])
        for keypoint in joined:
            track[keypoint] = a
        members.setdefault(a, [a]).extend(joined)
        seen_a |= seen_b
        photos[a] = seen_a
        photos.pop(b, None)
    return np.unique(track, return_inverse=True)[1]
