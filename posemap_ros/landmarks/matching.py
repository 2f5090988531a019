"""Keypoints of two photos that may be the same point of the place."""

from __future__ import annotations

import cv2
import numpy as np

from posemap_ros.landmarks.keypoints import KeypointDetector

_GROUPS_AT_ONCE = 10_000


def unit_vectors(descriptors: np.ndarray, detector: KeypointDetector) -> np.ndarray:
    """Descriptors uint8 [n, D] as float32 vectors of length 1, nearer the more they are alike."""
    if detector.norm == cv2.NORM_HAMMING:
        bits = np.unpackbits(descriptors, axis=1).astype(np.float32)
        return (2 * bits - 1) / np.sqrt(np.float32(bits.shape[1]))
    vectors = descriptors.astype(np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def mean_descriptors(
    descriptors: np.ndarray, group: np.ndarray, count: int, detector: KeypointDetector
) -> np.ndarray:
    """What each of ``count`` groups of descriptors uint8 [n, D] looks like: uint8 [count, D].

    Bit by bit what most say, or the mean.
    """
    binary = detector.norm == cv2.NORM_HAMMING
    order = np.argsort(group, kind='stable')
    edges = np.searchsorted(group[order], np.arange(count + 1))
    means = np.empty((count, descriptors.shape[1]), np.uint8)
    # In parts, because bits as numbers take 32 times the room.
    for first in range(0, count, _GROUPS_AT_ONCE):
        part = edges[first : first + _GROUPS_AT_ONCE + 1]
        values = descriptors[order[part[0] : part[-1]]]
        values = np.unpackbits(values, axis=1) if binary else values
        sums = np.add.reduceat(values, part[:-1] - part[0], axis=0, dtype=np.float32)
        rounded = np.rint(sums / np.diff(part)[:, None]).astype(np.uint8)
        means[first : first + len(part) - 1] = np.packbits(rounded, 1) if binary else rounded
    return means
