"""Thresholds and spreads are fitted to what was measured, and read back as they were written."""

from __future__ import annotations

import numpy as np
import pytest

from posemap_ros.verification.calibration import (
    Calibration,
    InvalidCalibration,
    cautious_spread,
    fit_spread,
    fit_thresholds,
)


def inside(errors, sigmas, radius) -> float:
    return float(np.mean(errors < radius * sigmas))


@pytest.mark.parametrize(('stretch', 'floor'), [(3.0, 0.0), (1.0, 0.02), (2.0, 0.01)])
def test_half_and_nine_in_ten_lie_inside_for_easy_and_hard_images_alike(stretch, floor):
    rng = np.random.default_rng(0)
    sigmas = rng.uniform(0.002, 0.02, 600)
    errors = np.linalg.norm(rng.normal(size=(600, 3)), axis=1) * np.hypot(stretch * sigmas, floor)
    fitted = fit_spread(errors[:300], sigmas[:300])
    new, spread = errors[300:], np.hypot(fitted[0] * sigmas[300:], fitted[1])
    for part in (sigmas[300:] < 0.01, sigmas[300:] > 0.01):
        assert inside(new[part], spread[part], 1.5382) == pytest.approx(0.5, abs=0.1)
        assert inside(new[part], spread[part], 2.5003) == pytest.approx(0.9, abs=0.07)


def test_few_images_do_not_make_regions_too_small():
    """The next image lies inside as often as is said, in the mean over many places of which forty
    images each are known.
    """
    rng = np.random.default_rng(0)
    held = []
    for _ in range(120):
        sigmas = rng.uniform(0.002, 0.02, 240)
        errors = np.linalg.norm(rng.normal(size=(240, 3)), axis=1) * sigmas
        stretch, floor = fit_spread(errors[:40], sigmas[:40])
        spread = np.hypot(stretch * sigmas[40:], floor)
        held.append([inside(errors[40:], spread, radius) for radius in (1.5382, 2.5003)])
    half, most = np.mean(held, axis=0)
    assert half == pytest.approx(0.5, abs=0.07)
    assert 0.89 < most < 0.94


def test_thresholds_are_above_what_wrong_poses_had_and_within_bounds():
    agreeing, alone = fit_thresholds(np.array([1.0, 5.0, 2.0]))
    assert 5.0 < agreeing < alone
    assert fit_thresholds(np.array([4.0])) == (5.0, 8.0)
    assert np.isfinite(fit_thresholds(np.array([1e6]))).all()


@pytest.mark.parametrize('supports', [[], [0.1], [1.0, 2.0]])
def test_no_threshold_is_below_its_default(supports):
    default = Calibration()
    found = fit_thresholds(np.array(supports))
    assert found == (default.support_agreeing, default.support_alone)


def test_of_few_errors_the_largest_is_a_usual_one_and_of_more_a_rare_one():
    assert cautious_spread(np.empty(0), 0.02) == (2.0, 0.02)
    assert cautious_spread(np.array([0.003]), 0.02) == (2.0, 0.02)
    errors = np.linspace(0.0, 0.1, 9)
    assert cautious_spread(errors[1:], 0.02)[1] == pytest.approx(0.1 / 1.5382)
    assert cautious_spread(errors, 0.02)[1] == pytest.approx(0.1 / 2.5003)


def test_a_covariance_is_stretched_and_never_below_the_floor():
    calibration = Calibration(4.0, 8.0, 2.0, 3.0, 0.01, 0.005)
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T
    found = calibration.calibrated(covariance)
    assert found[0, 0] == pytest.approx(4 * covariance[0, 0] + 1e-4)
    assert found[5, 5] == pytest.approx(9 * covariance[5, 5] + 2.5e-5)
    assert found[0, 5] == pytest.approx(6 * covariance[0, 5])
    assert (np.linalg.eigvalsh(found) > 0).all()


def test_what_is_written_is_read_back():
    calibration = Calibration(4.5, 8.5, 2.5, 3.5, 0.015, 0.0055)
    assert Calibration.from_dict(calibration.to_dict()) == calibration
    assert Calibration.from_dict({}) == Calibration()


@pytest.mark.parametrize(
    'values',
    [
        {'support_alone': float('nan')},
        {'floor_m': -1.0},
        {'stretch_m': 1e9},
        {'stretch_rad': 'two'},
        {'stretch_rad': True},
        {'unknown': 1.0},
        {3: 1.0},
        [1.0],
        None,
    ],
)
def test_damaged_figures_are_refused(values):
    with pytest.raises(InvalidCalibration, match='map_landmarks'):
        Calibration.from_dict(values)
