"""Pictures beside each other, each under its name."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

_FONT, _TEXT_SIZE, _STRIP_PX = cv2.FONT_HERSHEY_SIMPLEX, 0.45, 20
_LIGHT, _DARK = (235, 235, 235), 32


def side_by_side(pictures: Mapping[str, np.ndarray], caption: str = '') -> np.ndarray:
    """One picture of several, uint8 RGB [h, w, 3], of one height.

    Args:
        pictures: by their names, which are written above them.
        caption: a line below all of them; cut where it is too long.
    """
    row = np.hstack(
        [
            np.vstack([_strip(name, picture.shape[1]), picture])
            for name, picture in pictures.items()
        ]
    )
    return np.vstack([row, _strip(caption, row.shape[1])]) if caption else row


def _strip(text: str, width: int) -> np.ndarray:
    """A line of text, [20, width, 3]."""
    strip = np.full((_STRIP_PX, width, 3), _DARK, np.uint8)
    # OpenCV's fonts have ASCII only.
    text = text.encode('ascii', 'replace').decode()
    cv2.putText(strip, text, (5, 14), _FONT, _TEXT_SIZE, _LIGHT, 1, cv2.LINE_AA)
    return strip
