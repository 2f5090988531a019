"""Whether there is anything in an image to localize by, without any map.

An image of a place has structure at every size: its details, as wide as 2 % of the image, stand
out about as much as its coarse shapes, as wide as 10 %. A covered lens shows neither, a blurred
image only the latter. Sensor noise looks like detail, so its share is taken away first.
"""

from __future__ import annotations

import cv2
import numpy as np

_WIDTH = 64  # of the image in which structure is measured: details are 1 or 2 of its pixels wide
_FAINTEST_DETAIL = 1.0  # grey levels; the faintest images of the recordings at hand have 9
_FAINTEST_SHAPES = 2.0
# Detail over shapes: 0.7 and more in sharp images, 0.4 in those blurred by 3 % of their width.
_SOFTEST = 0.45
_DARK, _BRIGHT = 25, 230
_LEAST_EXPOSED = 0.1  # share of the pixels that are neither black nor white
# A Laplacian sums up the noise of nine pixels, with weights whose squares add up to this.
_LAPLACIAN_GAIN = np.sqrt(20.0)


def objection(image: np.ndarray) -> str:
    """Why no pose can be had from an image uint8 RGB [H, W, 3]; '' where nothing speaks against
    it.

    Takes a fraction of a millisecond at the size of a network's input.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    shrink = max(1.0, grey.shape[1] / _WIDTH)
    size = (round(grey.shape[1] / shrink), max(1, round(grey.shape[0] / shrink)))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    noise = 1.2 * _noise(grey) / shrink  # a little more than the mean of shrink^2 pixels keeps
    detail = np.sqrt(max(0.0, np.var(small - _blurred(small, 1.0)) - noise**2))
    shapes = np.std(_blurred(small, 2.0) - _blurred(small, 4.0))
    brightness = float(small.mean())
    exposed = np.mean((small > 5) & (small < 250))
    if detail < _FAINTEST_DETAIL and shapes < _FAINTEST_SHAPES or exposed < _LEAST_EXPOSED:
        if brightness < _DARK:
            return 'The image is dark: is the light off, or the lens covered?'
        if brightness > _BRIGHT:
            return 'The image is white: is it overexposed?'
        return 'The image shows no structure: is the lens covered?'
    if detail < max(_FAINTEST_DETAIL, _SOFTEST * shapes):
        return 'The image is blurred: is the lens dirty or out of focus?'
    return ''


def _noise(grey: np.ndarray) -> float:
    """Standard deviation of the noise, in grey levels, which may be too high in busy images."""
    rough = cv2.Laplacian(grey, cv2.CV_32F)[1:-1:2, 1:-1:2]
    return float(np.median(np.abs(rough)) / 0.6745 / _LAPLACIAN_GAIN) if rough.size else 0.0


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), sigma)
