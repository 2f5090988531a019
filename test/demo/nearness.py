"""How near a drive stays to another."""

import numpy as np


def to_nearest(later: np.ndarray, mapped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Metres and degrees from each pose [n, 4, 4] to that of the others [m, 4, 4] that is nearest
    in both.
    """
    distance = np.linalg.norm(later[:, None, :3, 3] - mapped[None, :, :3, 3], axis=-1)
    cosine = np.einsum('aij,bij->ab', later[:, :3, :3], mapped[:, :3, :3]) / 2 - 0.5
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    nearest = (distance + angle / 60).argmin(axis=1)
    rows = np.arange(len(later))
    return distance[rows, nearest], angle[rows, nearest]
