"""How far the view has changed since the last frame kept, where no poses tell how far it moved."""

from __future__ import annotations

import cv2
import numpy as np

_MOST_CORNERS, _FEWEST_CORNERS = 300, 20
_SHARE_STILL_SEEN = 0.5  # with fewer of the corners in view, too little would overlap


class ImageMotion:
    """Follows corners from frame to frame by optical flow (Lucas-Kanade, in pyramids).

    Structure from motion needs views that overlap, but not from the same place: a new one is due
    when the corners have moved by `min_motion`, a share of the image's width (the median over
    all), or when half of them are out of sight.
    """

    def __init__(self, min_motion: float) -> None:
        self._min_motion = min_motion
        self._last: np.ndarray | None = None
        self._corners = self._tracks = np.empty((0, 1, 2), np.float32)

    def moved(self, grey: np.ndarray) -> bool:
        """Is this uint8 image [height, width], the next in time, a new view? The first is."""
        if self._is_new(grey):
            corners = cv2.goodFeaturesToTrack(grey, _MOST_CORNERS, 0.01, 8)
            if corners is None or len(corners) < _FEWEST_CORNERS:
                corners = np.empty((0, 1, 2), np.float32)
            # A blank view is no use to anyone: the first one with corners that follows is new.
            new = self._last is None or len(corners) > 0
            self._corners = self._tracks = corners
            self._count = len(corners)
        else:
            new = False
        self._last = grey
        return new

    def _is_new(self, grey: np.ndarray) -> bool:
        if self._last is None or self._last.shape != grey.shape or not len(self._tracks):
            return True
        tracks, found, _ = cv2.calcOpticalFlowPyrLK(self._last, grey, self._tracks, None)
        found = found.ravel().astype(bool)
        height, width = grey.shape
        found &= ((tracks >= 0) & (tracks < (width, height))).all(axis=(1, 2))
        self._corners, self._tracks = self._corners[found], tracks[found]
        if found.sum() < _SHARE_STILL_SEEN * self._count:
            return True
        shift = np.linalg.norm(self._tracks - self._corners, axis=-1)
        return bool(np.median(shift) >= self._min_motion * width)
