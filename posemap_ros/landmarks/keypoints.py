"""Keypoints of an image: places that are found again in other images, and what they look like.

SIFT is the default. By its landmarks the demo's later drive, in another light, is localized to
2 mm in the median, by AKAZE's to 4 and by ORB's to 11; and 99 of 100 images of redkitchen to 5 cm
and 5 degrees, by AKAZE's 94 and by ORB's 89. ORB takes an eighth of the time, AKAZE two thirds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# A RootSIFT vector has length 1, and hardly ever an entry above a half.
_ROOTSIFT_STEPS = 512.0


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Keypoints of one image, the strongest first.

    Attributes:
        points: [n, 2] float32, pixels from the image's top-left corner, as `Camera` counts them.
        scores: [n] float32, how strong each is; of one detector they can be compared.
        scales: [n] float32, diameter of what was looked at, pixels.
        descriptors: [n, D] uint8; the detector's `norm` compares them.
    """

    points: np.ndarray
    scores: np.ndarray
    scales: np.ndarray
    descriptors: np.ndarray

    def __len__(self) -> int:
        return len(self.points)

    def select(self, index: np.ndarray) -> Keypoints:
        """Those that an index or a mask picks."""
        return Keypoints(
            self.points[index], self.scores[index], self.scales[index], self.descriptors[index]
        )


class KeypointDetector(ABC):
    """Finds keypoints and describes them. Holds no state: any thread may call it.

    Attributes:
        name: as maps and parameters give it.
        descriptor_size: D, bytes of a descriptor.
        norm: cv2.NORM_L2 or cv2.NORM_HAMMING, how descriptors differ.
    """

    name: str
    descriptor_size: int
    norm: int

    def detect(
        self, gray: np.ndarray, mask: np.ndarray | None = None, max_keypoints: int = 2000
    ) -> Keypoints:
        """The strongest keypoints of a uint8 image [h, w], only where a mask [h, w] is not 0."""
        found, descriptors = self._run(gray, mask, max_keypoints)
        if not found:
            empty = np.empty(0, np.float32)
            descriptors = np.empty((0, self.descriptor_size), np.uint8)
            return Keypoints(empty.reshape(0, 2), empty, empty, descriptors)
        keypoints = Keypoints(
            self._pixels(found),
            np.array([k.response for k in found], np.float32),
            np.array([k.size for k in found], np.float32),
            self._quantised(descriptors),
        )
        order = np.argsort(-keypoints.scores, kind='stable')
        return keypoints.select(order[:max_keypoints])

    @abstractmethod
    def _run(
        self, gray: np.ndarray, mask: np.ndarray | None, max_keypoints: int
    ) -> tuple[Sequence[cv2.KeyPoint], np.ndarray]:
        """OpenCV's keypoints and descriptors."""

    def _pixels(self, found: Sequence[cv2.KeyPoint]) -> np.ndarray:
        """[n, 2] float32 in our convention; OpenCV counts from the centre of the first pixel."""
        return np.array([k.pt for k in found], np.float32) + np.float32(0.5)

    def _quantised(self, descriptors: np.ndarray) -> np.ndarray:
        return descriptors


class Sift(KeypointDetector):
    """RootSIFT (Arandjelovic and Zisserman, CVPR 2012) in steps of 1/512."""

    name, descriptor_size, norm = 'sift', 128, cv2.NORM_L2

    def _run(self, gray, mask, max_keypoints):
        # Half of the usual contrast: an evening's image has little.
        sift = cv2.SIFT_create(nfeatures=max_keypoints, contrastThreshold=0.02)
        return sift.detectAndCompute(gray, mask)

    def _pixels(self, found):
        # SIFT works on an image enlarged by 2 whose pixel 0 has its centre a quarter to the left
        # and above that of the image's own pixel 0, and does not take that into account.
        return super()._pixels(found) - np.float32(0.25)

    def _quantised(self, descriptors):
        total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9)
        steps = _ROOTSIFT_STEPS * np.sqrt(descriptors / total)
        return np.minimum(np.rint(steps), 255).astype(np.uint8)


class Akaze(KeypointDetector):
    """AKAZE with its binary descriptor (Alcantarilla et al., BMVC 2013)."""

    name, descriptor_size, norm = 'akaze', 61, cv2.NORM_HAMMING

    def _run(self, gray, mask, max_keypoints):
        akaze = cv2.AKAZE_create(threshold=3e-4)
        found = sorted(akaze.detect(gray, mask), key=lambda k: -k.response)
        return akaze.compute(gray, found[:max_keypoints])


class Orb(KeypointDetector):
    """ORB (Rublee et al., ICCV 2011)."""

    name, descriptor_size, norm = 'orb', 32, cv2.NORM_HAMMING

    _SHRINK = 1.2  # from one level of its pyramid to the next

    def _run(self, gray, mask, max_keypoints):
        orb = cv2.ORB_create(max_keypoints, scaleFactor=self._SHRINK, fastThreshold=7)
        return orb.detectAndCompute(gray, mask)

    def _pixels(self, found):
        # Points of the smaller images are multiplied by their scale only: half a pixel there is
        # more than half a pixel here.
        half = 0.5 * self._SHRINK ** np.array([k.octave for k in found])
        return (np.array([k.pt for k in found]) + half[:, None]).astype(np.float32)


DETECTORS: dict[str, type[KeypointDetector]] = {d.name: d for d in (Sift, Akaze, Orb)}


def make_detector(name: str) -> KeypointDetector:
    """The detector of this name. Raises ValueError for an unknown one."""
    if name not in DETECTORS:
        raise ValueError(f'there is no detector {name!r}; known are {", ".join(DETECTORS)}')
    return DETECTORS[name]()
