"""Which test images were taken far from where the training images were (paper, Table 4)."""

from __future__ import annotations

import cv2
import numpy as np

CLUSTERS = 10  # the paper does not say how many


def outlier_distances(
    training: np.ndarray, test: np.ndarray, clusters: int = CLUSTERS
) -> np.ndarray:
    """Distances [M] of test positions [M, 3] to the nearest cluster centre of training positions
    [N, 3], in metres: the directed Hausdorff distance of each test camera to the set of centres.
    """
    origin = training.mean(0)  # k-means computes in float32, which is fine only near 0
    positions = (training - origin).astype(np.float32)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-6)
    _, _, centres = cv2.kmeans(
        positions,
        min(clusters, len(positions)),
        None,
        criteria,
        attempts=10,
        flags=cv2.KMEANS_PP_CENTERS,
    )
    apart = (test - origin)[:, None] - centres
    return np.linalg.norm(apart, axis=-1).min(1)


def farthest(training: np.ndarray, test: np.ndarray, count: int = 30) -> np.ndarray:
    """Indices [min(count, M)] of the test positions [M, 3] farthest from the training clusters,
    the farthest first.
    """
    return np.argsort(-outlier_distances(training, test), kind='stable')[:count]
