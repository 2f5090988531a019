"""How much the camera's exposure changes along the drive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posemap_ros.check.findings import Finding
from posemap_ros.check.pairs import Pairs
from posemap_ros.two_view.features import FeatureMatcher

_STRONG_STOPS = 0.7
_DARK = 35.0
_MOSTLY_CLIPPED = 0.3


@dataclass(frozen=True, eq=False)
class Exposure:
    """Brightness of images, and of the same surfaces in two images.

    `stops` [p] is the change from the first to the second image of each pair: log2 of the ratio of
    brightness, the median over matched points. Half a stop is a factor of 1.4.
    """

    frames: np.ndarray  # [m] indices that were looked at
    brightness: np.ndarray  # [m] means, 0..255
    clipped: np.ndarray  # [m] share of black or white pixels
    stops: np.ndarray


def measure_exposure(matcher: FeatureMatcher, pairs: Pairs) -> Exposure:
    frames = np.unique(np.concatenate([pairs.a, pairs.b]))
    seen = [matcher.features(int(index)) for index in frames]
    return Exposure(
        frames=frames,
        brightness=np.array([features.mean_brightness for features in seen]),
        clipped=np.array([features.clipped for features in seen]),
        stops=np.array(
            [
                np.median(np.log2((match.brightness_b + 1) / (match.brightness_a + 1)))
                for match in pairs.matches
            ]
        ),
    )


def judge_exposure(exposure: Exposure) -> Finding:
    """Change is what training can cope with, clipping is not."""
    change = float(np.percentile(np.abs(exposure.stops), 95))
    text = (
        f'the same surfaces change by up to {change:.2f} stops within a few seconds, images have '
        f'a mean brightness of {exposure.brightness.min():.0f} to {exposure.brightness.max():.0f} '
        'of 255'
    )
    if (clipped := float(np.median(exposure.clipped))) > _MOSTLY_CLIPPED:
        return Finding(
            'exposure',
            'warning',
            f'{100 * clipped:.0f} % of the pixels are black or white',
            'set the exposure so that most of the scene is in between',
        )
    if (dark := float(np.median(exposure.brightness))) < _DARK:
        return Finding(
            'exposure', 'warning', f'the images are dark ({dark:.0f} of 255)', 'add light'
        )
    if change > _STRONG_STOPS:
        return Finding(
            'exposure',
            'warning',
            text,
            'training copes with it, but a fixed exposure and white balance are better',
        )
    return Finding('exposure', 'ok', text)
