"""Which keypoints of an image are which landmarks."""

from __future__ import annotations

import numpy as np

# Of squared distances: the next landmark somewhere else must be so much less alike.
RATIO = 0.8**2
GUIDED_RATIO = 0.9**2
# Unit descriptors of the same point hardly ever differ by more than this (squared).
_FARTHEST = 0.4
_RIVALS = 3  # how many of the next best are looked through for one that is somewhere else
_TILES = (4, 3)  # across and down, in which keypoints are compared with what projects nearby


def match_anywhere(
    descriptors: np.ndarray, landmarks: np.ndarray, places: np.ndarray, apart: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Match by what is alike alone.

    Args:
        descriptors: [n, D] float32 of unit length, of keypoints.
        landmarks: [m, D] likewise.
        places: [m, 3] where landmarks are.
        apart: [m] how far from it another landmark is another place, not a copy of it.

    Returns:
        indices of keypoints [k] and of landmarks [k]; none is used twice.
    """
    if not len(descriptors) or not len(landmarks):
        return _nothing()
    distances = 2.0 - 2.0 * (descriptors @ landmarks.T)
    keypoint, landmark, distance = _distinct(distances, places, apart, RATIO)
    return _one_to_one(keypoint, landmark, distance)


def match_nearby(
    descriptors: np.ndarray,
    pixels: np.ndarray,
    landmarks: np.ndarray,
    projected: np.ndarray,
    radii: np.ndarray,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Match where landmarks are expected.

    Args:
        descriptors: [n, D] float32 of unit length, of keypoints.
        pixels: [n, 2] where those are.
        landmarks: [m, D] float32 of unit length.
        projected: [m, 2] pixels where those should be.
        radii: [m] how far from there they may be, pixels.
        size: width and height of the image.

    Returns:
        indices of keypoints [k] and of landmarks [k]; none is used twice.
    """
    found = [(*_nothing(), np.empty(0, np.float32))]
    pixels, projected, radii = (np.asarray(a, np.float32) for a in (pixels, projected, radii))
    edges = [np.linspace(0, length, count + 1) for length, count in zip(size, _TILES)]
    reach = float(radii.max(initial=0.0))
    tile = np.stack(
        [np.clip(np.searchsorted(e, pixels[:, i]) - 1, 0, len(e) - 2) for i, e in enumerate(edges)]
    )
    for column in range(_TILES[0]):
        for row in range(_TILES[1]):
            k = np.flatnonzero((tile[0] == column) & (tile[1] == row))
            low = (edges[0][column] - reach, edges[1][row] - reach)
            high = (edges[0][column + 1] + reach, edges[1][row + 1] + reach)
            m = np.flatnonzero(np.all((projected > low) & (projected < high), axis=1))
            if not len(k) or not len(m):
                continue
            distances = 2.0 - 2.0 * (descriptors[k] @ landmarks[m].T)
            across = pixels[k, :1] - projected[m, 0]
            down = pixels[k, 1:] - projected[m, 1]
            distances[across * across + down * down > radii[m] ** 2] = np.inf
            near, which, distance = _distinct(
                distances, projected[m], np.full(len(m), 3.0, np.float32), GUIDED_RATIO
            )
            found.append((k[near], m[which], distance))
    return _one_to_one(*(np.concatenate(columns) for columns in zip(*found)))


def _distinct(
    distances: np.ndarray, places: np.ndarray, apart: np.ndarray, ratio: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of distances [n, m] whose smallest is clearly smaller than that of any column that
    stands for another place: their indices, those of the columns, the distances.

    A point of the scene may be in the map twice; its copy is no rival. Changes ``distances``.
    """
    rows = np.arange(len(distances))
    best = distances.argmin(axis=1)
    nearest = distances[rows, best]
    keep = nearest < _FARTHEST
    rows, best, nearest = rows[keep], best[keep], nearest[keep]
    distances = distances[rows]
    at = np.arange(len(rows))
    rival = np.full(len(rows), np.inf, np.float32)
    column, waiting = best, np.ones(len(rows), bool)
    for _ in range(min(_RIVALS, distances.shape[1] - 1)):
        distances[at, column] = np.inf
        column = distances.argmin(axis=1)
        gap = np.linalg.norm(places[column] - places[best], axis=1)
        other = waiting & (gap > apart[best])
        rival[other] = distances[at, column][other]
        waiting &= ~other
    clear = nearest < ratio * rival
    return rows[clear], best[clear], nearest[clear]


def _one_to_one(
    keypoint: np.ndarray, landmark: np.ndarray, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of several keypoints that want the same landmark, the one most alike."""
    order = np.argsort(distance, kind='stable')
    _, first = np.unique(landmark[order], return_index=True)
    chosen = order[first]
    return keypoint[chosen], landmark[chosen]


def _nothing() -> tuple[np.ndarray, np.ndarray]:
    return np.empty(0, np.intp), np.empty(0, np.intp)
