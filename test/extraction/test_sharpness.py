import cv2
import numpy as np
import pytest

from posemap_ros.extraction.sharpness import find_blurred, sharpness

TENTHS = np.arange(100, dtype=np.int64) * 100_000_000


def test_variance_of_the_laplacian_of_a_single_bright_pixel():
    grey = np.zeros((9, 9), np.uint8)
    grey[4, 4] = 10
    # The Laplacian is -40 there, 10 at its four neighbours, 0 elsewhere; its mean is 0.
    assert sharpness(grey) == pytest.approx((40**2 + 4 * 10**2) / 81)


def test_blur_takes_sharpness_away_and_a_flat_image_has_none():
    grey = np.random.default_rng(0).integers(0, 255, (60, 80), np.uint8)
    values = [sharpness(cv2.GaussianBlur(grey, (0, 0), s)) for s in (0.5, 1, 2, 4)]
    assert all(a > 2 * b for a, b in zip(values, values[1:]))
    assert sharpness(np.full((60, 80), 99, np.uint8)) == 0


def test_outliers_below_their_neighbours_are_blurred_and_those_above_are_not():
    values = np.exp(np.random.default_rng(1).normal(5, 0.1, 100))
    values[[20, 50, 51]] /= 5
    values[70] *= 5
    assert np.flatnonzero(find_blurred(values, TENTHS)).tolist() == [20, 50, 51]


def test_a_bare_wall_is_not_blurred():
    """Detail fades to a fiftieth and comes back, slowly, and stays low for a while."""
    path = np.interp(np.arange(100), [0, 30, 60, 99], np.log([500, 10, 10, 500]))
    values = np.exp(path + np.random.default_rng(2).normal(0, 0.05, 100))
    assert not find_blurred(values, TENTHS).any()
    values[45] /= 5
    assert np.flatnonzero(find_blurred(values, TENTHS)).tolist() == [45]


def test_where_all_are_alike_a_small_drop_is_no_outlier():
    values = np.full(100, 300.0)
    values[10], values[60] = 200, 100
    assert np.flatnonzero(find_blurred(values, TENTHS)).tolist() == [60]


def test_a_slow_camera_has_neighbours_too():
    values = np.full(20, 300.0)
    values[7] = 50
    slow = np.arange(20, dtype=np.int64) * 5_000_000_000
    assert np.flatnonzero(find_blurred(values, slow)).tolist() == [7]


def test_few_and_black_images():
    assert find_blurred(np.array([3.0]), TENTHS[:1]).tolist() == [False]
    assert not find_blurred(np.zeros(5), TENTHS[:5]).any()
