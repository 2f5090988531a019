import numpy as np
import pytest

from posemap_ros.messages.trajectory import Trajectory, interpolate


def turned_z(degrees, x=0.0):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, x], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize('fraction', [0, 0.25, 0.5, 1])
@pytest.mark.parametrize('end', [1e-6, 10, 90, 179])
def test_half_way_is_half_the_turn(fraction, end):
    T = interpolate(turned_z(0, 1), turned_z(end, 3), fraction)
    np.testing.assert_allclose(T, turned_z(fraction * end, 1 + 2 * fraction), atol=1e-7)


def test_the_shorter_way_round():
    np.testing.assert_allclose(
        interpolate(turned_z(170), turned_z(-170), 0.5), turned_z(180), atol=1e-12
    )


def test_between_beside_and_beyond_the_samples():
    trajectory = Trajectory([(300, turned_z(30)), (100, turned_z(10)), (100, turned_z(55))])
    assert trajectory.stamps_ns.tolist() == [100, 300]
    np.testing.assert_allclose(trajectory.at(150, 200), turned_z(15), atol=1e-12)
    np.testing.assert_array_equal(trajectory.at(100, 0), turned_z(10))
    np.testing.assert_array_equal(trajectory.at(300, 0), turned_z(30))
    assert trajectory.at(99, 10**9) is None
    assert trajectory.at(301, 10**9) is None
    assert trajectory.at(150, 199) is None


@pytest.mark.parametrize(
    ('stamp', 'within', 'degrees'),
    [(98, 2, 10), (97, 2, None), (199, 99, 10), (201, 99, 30), (200, 99, None), (302, 2, 30)],
)
def test_the_nearest_is_taken_on_either_side_and_beyond_the_ends(stamp, within, degrees):
    found = Trajectory([(100, turned_z(10)), (300, turned_z(30))]).nearest(stamp, within)
    if degrees is None:
        assert found is None
    else:
        np.testing.assert_array_equal(found, turned_z(degrees))


def test_nanoseconds_of_today_are_not_rounded():
    now = 1_700_000_000_000_000_000  # a float64 of it is off by up to 128 ns
    trajectory = Trajectory([(now, turned_z(0, 0)), (now + 100, turned_z(0, 100))])
    assert trajectory.at(now + 37, 1000)[0, 3] == pytest.approx(37)


def test_no_pose_is_refused():
    with pytest.raises(ValueError, match='at least one'):
        Trajectory([])
