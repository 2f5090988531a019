"""Calibration of the predicted spread, on errors whose distribution is known."""

import numpy as np
import pytest

from posemap_ros.evaluation.uncertainty import (
    calibration,
    fit_scale,
    rank_correlation,
    share_inside,
)


@pytest.fixture
def sigma() -> np.ndarray:
    return np.exp(np.random.default_rng(0).normal(-3.0, 0.7, 20_000))


@pytest.fixture
def errors(sigma: np.ndarray) -> np.ndarray:
    axes = np.random.default_rng(1).normal(size=(len(sigma), 3)) * sigma[:, None]
    return np.linalg.norm(axes, axis=1)


def test_honest_spreads_hold_what_they_promise(errors: np.ndarray, sigma: np.ndarray) -> None:
    assert fit_scale(errors, sigma) == pytest.approx(1.0, abs=0.02)
    assert share_inside(errors, sigma, 0.5) == pytest.approx(0.5, abs=0.01)
    assert share_inside(errors, sigma, 0.9) == pytest.approx(0.9, abs=0.01)


def test_the_scale_mends_spreads_that_are_too_small(errors: np.ndarray, sigma: np.ndarray) -> None:
    timid = sigma / 4.0
    assert share_inside(errors, timid, 0.9) < 0.1
    scale = fit_scale(errors, timid)
    assert scale == pytest.approx(4.0, rel=0.02)
    assert share_inside(errors, scale * timid, 0.9) == pytest.approx(0.9, abs=0.01)


def test_one_wrong_place_hardly_changes_the_scale(errors: np.ndarray, sigma: np.ndarray) -> None:
    few, spread = errors[:50].copy(), sigma[:50]
    before = fit_scale(few, spread)
    few[0] = 1000.0
    assert fit_scale(few, spread) == pytest.approx(before, rel=0.2)


def test_correlation_goes_by_rank() -> None:
    a = np.array([1.0, 2.0, 3.0, 4.0])
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1.0)
    assert rank_correlation(a, -(a**3)) == pytest.approx(-1.0)
    # Equal values share the mean of their ranks.
    assert rank_correlation(a, np.array([5.0, 5.0, 9.0, 7.0])) == pytest.approx(
        np.corrcoef([0, 1, 2, 3], [0.5, 0.5, 3, 2])[0, 1]
    )
    assert np.isnan(rank_correlation(a, np.ones(4)))


def test_figures_are_named_after_what_they_are_of() -> None:
    # Radii of 50 %: 1.54, 3.08, 4.61; of 90 %: 2.50, 5.00, 7.50.
    figures = calibration(np.array([1.0, 4.0, 8.0]), np.array([1.0, 2.0, 3.0]), 'translation')
    assert figures == {
        'translation_inside_50': pytest.approx(1 / 3),
        'translation_inside_90': pytest.approx(2 / 3),
        'translation_spread_correlation': pytest.approx(1.0),
    }
