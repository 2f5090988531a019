"""SIFT features of images, and which of them two images share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages

_MOST_FEATURES = 700
_RATIO = 0.8  # Lowe, "Distinctive image features from scale-invariant keypoints", section 7.1
_FEWEST_INLIERS = 25
_INLIER_PX = 0.75  # at the working size
_SIDE_PX = 320  # the longer side of the images that are worked on
_KEPT_IMAGES = 600


@dataclass(frozen=True, eq=False)
class Features:
    """Features of one image, and how bright it is."""

    points: np.ndarray  # [n, 2] float64, pixels from the image's corner
    descriptors: np.ndarray  # [n, 128] float32 of length 1
    brightness: np.ndarray  # [n] float32, 0..255, of the surface around each point
    mean_brightness: float  # 0..255
    clipped: float  # share of pixels that are black or white


@dataclass(frozen=True, eq=False)
class Match:
    """Points [n, 2] that are the same in two images, and the brightness [n] of each there."""

    points_a: np.ndarray
    points_b: np.ndarray
    brightness_a: np.ndarray
    brightness_b: np.ndarray

    @property
    def displacement_px(self) -> float:
        """How far the points have moved in the image; the median."""
        return float(np.median(np.linalg.norm(self.points_b - self.points_a, axis=1)))


class FeatureMatcher:
    """Finds features of a dataset's images at a small common pinhole camera, each image once."""

    def __init__(self, dataset: PosedImages) -> None:
        camera = dataset.camera.undistorted()
        shrink = min(1.0, _SIDE_PX / max(camera.width, camera.height))
        self.dataset = dataset
        self.camera: Camera = camera.resized(
            round(camera.width * shrink), round(camera.height * shrink)
        )
        self._sift = cv2.SIFT_create(nfeatures=_MOST_FEATURES)
        self.features = lru_cache(maxsize=_KEPT_IMAGES)(self._features)
        self.match = lru_cache(maxsize=None)(self._match)

    def image(self, index: int) -> np.ndarray:
        """The image at the working size, uint8 RGB."""
        return self.dataset.load_as(index, self.camera)

    def _features(self, index: int) -> Features:
        grey = cv2.cvtColor(self.image(index), cv2.COLOR_RGB2GRAY)
        keypoints, descriptors = self._sift.detectAndCompute(grey, None)
        pixels = np.array([k.pt for k in keypoints], np.float64).reshape(-1, 2)
        descriptors = np.empty((0, 128), np.float32) if descriptors is None else descriptors
        # RootSIFT: Arandjelovic and Zisserman, "Three things everyone should know to improve
        # object retrieval", CVPR 2012.
        total = np.maximum(np.abs(descriptors).sum(axis=1, keepdims=True), 1e-9)
        column, row = pixels.round().astype(int).T
        return Features(
            points=pixels + 0.5,  # OpenCV counts from the centre of the first pixel
            descriptors=np.sqrt(descriptors / total),
            brightness=cv2.blur(grey, (5, 5))[row, column].astype(np.float32),
            mean_brightness=float(grey.mean()),
            clipped=float(np.mean((grey <= 4) | (grey >= 251))),
        )

    def _match(self, a: int, b: int) -> Match | None:
        """What the two images have in common; None if that is too little to be sure.

        Mutual nearest neighbours that pass the ratio test and agree on one fundamental matrix:
        neither poses nor focal length have a say in it, so that both can be tested with it.
        """
        first, second = self.features(a), self.features(b)
        pairs = mutual_matches(first.descriptors, second.descriptors)
        if len(pairs) < _FEWEST_INLIERS:
            return None
        points_a, points_b = first.points[pairs[:, 0]], second.points[pairs[:, 1]]
        cv2.setRNGSeed(0)
        try:
            _, inliers = cv2.findFundamentalMat(
                points_a, points_b, cv2.USAC_MAGSAC, _INLIER_PX, 0.999, 2000
            )
        except cv2.error:  # OpenCV 4.11 fails where every sample is degenerate: there is no motion
            return None
        if inliers is None or inliers.sum() < _FEWEST_INLIERS:
            return None
        pairs = pairs[inliers.ravel() > 0]
        return Match(
            first.points[pairs[:, 0]],
            second.points[pairs[:, 1]],
            first.brightness[pairs[:, 0]],
            second.brightness[pairs[:, 1]],
        )


def mutual_matches(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Indices [m, 2] of unit descriptors [n, d] and [k, d] that are each other's nearest."""
    if len(a) < 2 or len(b) < 2:
        return np.empty((0, 2), int)
    cosine = a @ b.T
    rows = np.arange(len(a))
    nearest = cosine.argmax(axis=1)
    best = cosine[rows, nearest]
    mutual = best == cosine.max(axis=0)[nearest]
    cosine[rows, nearest] = -1.0
    distance = np.sqrt(np.maximum(2 - 2 * best, 0))
    to_second = np.sqrt(np.maximum(2 - 2 * cosine.max(axis=1), 0))
    good = mutual & (distance < _RATIO * to_second)
    return np.stack([rows[good], nearest[good]], axis=1)
