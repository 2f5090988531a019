"""Which landmarks to keep: enough in every part of every photo, the surest first."""

from __future__ import annotations

import numpy as np

from posemap_ros.camera import Camera

_PARTS = 8  # along a photo's longer side; squares
_LONE = 2  # with so many others in its cell, a landmark that only one photo found is not kept


def choose_landmarks(
    quality: np.ndarray,
    lone: np.ndarray,
    landmark: np.ndarray,
    photo: np.ndarray,
    pixels: np.ndarray,
    camera: Camera,
    budget: int,
    per_cell: int,
) -> np.ndarray:
    """Indices of the landmarks to keep, sorted.

    Each cell of each photo gets its best landmark, then its second best, and so on, until there
    are enough in all, or each cell has enough. What only one photo found is mostly an edge or a
    reflection that no other image will show again: it serves where a cell has next to nothing
    else.

    Args:
        quality: [n] of each landmark; those that only one photo found must have the least.
        lone: [n] whether only one photo found it.
        landmark, photo, pixels: [m], [m], [m, 2] which landmark is seen in which photo and where.
        budget: how many landmarks there may be.
        per_cell: how many of a cell's landmarks are kept for its sake.
    """
    side = camera.longer_side / _PARTS
    columns, rows = (int(np.ceil(size / side)) for size in (camera.width, camera.height))
    column, row = (pixels // side).astype(int).T
    cell = (photo * rows + np.clip(row, 0, rows - 1)) * columns + np.clip(column, 0, columns - 1)
    order = np.lexsort((landmark, -quality[landmark], cell))
    first = np.searchsorted(cell[order], cell[order])
    rank = np.full(len(quality), len(order))
    np.minimum.at(rank, landmark[order], np.arange(len(order)) - first)
    best = np.lexsort((-quality, rank))[:budget]
    return np.sort(best[rank[best] < np.where(lone[best], min(_LONE, per_cell), per_cell)])
