"""Which images of a recording are blurred, judged by their neighbours in time.

The variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield
microscopy", ICPR 2000) measures fine detail: blur takes it away, but a white wall never had any.
So no fixed number tells a blurred image. Images taken a moment before and after show nearly the
same things; one that has far less detail than they have was shaken, or out of focus.
"""

from __future__ import annotations

import cv2
import numpy as np

_NEIGHBOURHOOD_NS = 1_000_000_000  # before and after; longer, and the robot looks at other things
_FEWEST_NEIGHBOURS = 5  # before and after, for slow cameras
_OUTLIER = 3.0  # standard deviations below the median
_SMALLEST_DROP = np.log(2.0)  # less than half the neighbours' variance, even where all are alike


def sharpness(grey: np.ndarray) -> float:
    """Variance of the Laplacian of a uint8 image [height, width].

    Comparable between images of one size. Measure on small ones, about as large as the training's:
    there sensor noise has averaged out, and blur below a pixel does no harm.
    """
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def find_blurred(values: np.ndarray, stamps_ns: np.ndarray) -> np.ndarray:
    """Bool [n]: is the sharpness [n] of an image an outlier below that of its neighbours in time?

    The threshold is robust: median minus three standard deviations, estimated by the median
    absolute deviation, of the logarithm, because blur divides the variance.
    """
    logs = np.log(np.maximum(values, 1e-6))
    blurred = np.zeros(len(logs), bool)
    starts = np.searchsorted(stamps_ns, stamps_ns - _NEIGHBOURHOOD_NS)
    ends = np.searchsorted(stamps_ns, stamps_ns + _NEIGHBOURHOOD_NS, side='right')
    for i, (start, end) in enumerate(zip(starts, ends)):
        start, end = min(start, i - _FEWEST_NEIGHBOURS), max(end, i + _FEWEST_NEIGHBOURS + 1)
        near = logs[max(0, start) : end]
        median = np.median(near)
        deviation = 1.4826 * np.median(np.abs(near - median))
        blurred[i] = logs[i] < median - max(_OUTLIER * deviation, _SMALLEST_DROP)
    return blurred
