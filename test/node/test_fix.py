"""A fix, carried on by odometry."""

import numpy as np
from fixes import at, fix


def test_spread_is_that_of_one_axis():
    seen = fix(at(0), sigma=(0.2, 3.0))
    np.testing.assert_allclose(
        (seen.sigma_translation_m, seen.sigma_rotation_deg), (0.2, 3.0), rtol=1e-12
    )


def test_odometry_carries_it_on_whatever_its_origin():
    map_from_odom = at(-30, 90)
    then = fix(map_from_odom @ at(4, 20), at(4, 20), stamp=10.0)
    now = fix(at(99), at(4, 20) @ at(2, 5), stamp=11.0)
    carried = then.carried(now)
    expected = map_from_odom @ at(4, 20) @ at(2, 5)
    np.testing.assert_allclose(carried.T_map_base, expected, atol=1e-12)
    assert carried.stamp == 11.0
    assert carried.T_odom_base is now.T_odom_base
    # 3 % of 2 m and 1 cm in 1 s, on top of 0.1 m.
    expected = np.hypot(0.1, 0.03 * 2 + 0.01)
    np.testing.assert_allclose(carried.sigma_translation_m, expected, rtol=1e-12)
    # 5 % of 5 deg and half a degree in 1 s, on top of 1 deg.
    expected = np.hypot(1.0, 0.05 * 5 + 0.5)
    np.testing.assert_allclose(carried.sigma_rotation_deg, expected, rtol=1e-9)


def test_without_odometry_it_stays_and_is_soon_unsure():
    then = fix(at(4), None, stamp=10.0)
    for later, odometry in ((0.1, None), (1.0, at(7))):
        carried = then.carried(fix(at(99), odometry, stamp=10.0 + later))
        np.testing.assert_array_equal(carried.T_map_base, at(4))
        expected = np.hypot(0.1, 0.5 * later)
        np.testing.assert_allclose(carried.sigma_translation_m, expected, rtol=1e-9)
