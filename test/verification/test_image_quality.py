"""What cannot be localized is refused in words, what can be is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from textured_room import drive, render

from posemap_ros.verification.image_quality import objection

SHAPE = (144, 192, 3)


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    added = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.clip(image + added, 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def views() -> list[np.ndarray]:
    return [render(T)[0] for T in drive(12)]


@pytest.mark.parametrize('noise', [0, 5, 15])
def test_images_of_a_place_are_fine(views, noise):
    assert [objection(noisy(view, noise)) for view in views] == [''] * len(views)


@pytest.mark.parametrize('gain', [0.25, 0.5, 1.5])
def test_less_and_more_light_is_fine(views, gain):
    changed = [np.clip(gain * view, 0, 255).astype(np.uint8) for view in views]
    assert [objection(view) for view in changed] == [''] * len(views)


@pytest.mark.parametrize(
    ('level', 'word'),
    [(0, 'dark'), (8, 'dark'), (60, 'covered'), (128, 'covered'), (255, 'white')],
)
@pytest.mark.parametrize('noise', [0, 4, 20])
def test_a_covered_lens_is_refused(level, word, noise):
    assert word in objection(noisy(np.full(SHAPE, float(level)), noise))


def test_light_that_leaks_in_at_a_side_is_no_structure():
    ramp = np.broadcast_to(np.linspace(20.0, 200.0, SHAPE[1])[None, :, None], SHAPE)
    assert 'covered' in objection(noisy(ramp, 3))


def test_pure_noise_is_refused():
    assert objection(np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8))


@pytest.mark.parametrize('noise', [0, 4, 10])
@pytest.mark.parametrize('share_of_width', [0.03, 0.06])
def test_heavy_blur_is_refused_with_noise_or_without(views, share_of_width, noise):
    for view in views:
        blurred = cv2.GaussianBlur(view, (0, 0), share_of_width * view.shape[1])
        assert 'blurred' in objection(noisy(blurred, noise))


def test_light_blur_is_fine(views):
    for view in views:
        assert objection(cv2.GaussianBlur(view, (0, 0), 0.004 * view.shape[1])) == ''


@pytest.mark.parametrize('width', [192, 320, 854])
def test_the_size_of_the_image_does_not_matter(views, width):
    size = (width, width * 3 // 4)
    sharp = cv2.resize(views[0], size, interpolation=cv2.INTER_AREA)
    assert objection(sharp) == ''
    assert 'blurred' in objection(cv2.GaussianBlur(sharp, (0, 0), 0.04 * width))


def test_the_smallest_images_do_not_fail():
    assert objection(np.zeros((1, 1, 3), np.uint8))
