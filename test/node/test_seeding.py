"""When amcl is told where the robot is."""

import numpy as np
import pytest

pytest.importorskip('rclpy')

from rclpy.time import Time  # noqa: E402

from posemap_ros.node.messages import LOST_COVARIANCE, pose_with_covariance  # noqa: E402
from posemap_ros.node.seed_amcl import PlanarPose, Seeding, widened  # noqa: E402


def pose(seconds: float, x: float = 0.0, heading: float = 0.0, sigma=(0.02, 0.01)) -> PlanarPose:
    return PlanarPose(seconds, x, 0.0, heading, *sigma)


@pytest.fixture
def seeding() -> Seeding:
    return Seeding(0.1, 0.05, apart_m=0.5, apart_rad=0.3, patience_s=3.0)


def test_it_is_told_once_and_not_while_it_follows(seeding):
    assert seeding.is_due(pose(0.0))
    for i in range(1, 100):
        assert not seeding.is_due(pose(0.1 * i, x=0.05 * i))
        seeding.take_amcl(pose(0.1 * i, x=0.05 * i + 0.3, heading=0.1))


def test_poses_that_are_not_sure_are_not_passed_on(seeding):
    for sigma in ((0.2, 0.01), (0.02, 0.2), (100.0, 100.0)):
        assert not seeding.is_due(pose(0.0, sigma=sigma))
    assert seeding.is_due(pose(0.1))


def test_it_is_told_again_where_it_stays_away(seeding):
    seeding.is_due(pose(0.0))
    told = []
    for i in range(1, 100):
        seeding.take_amcl(pose(0.1 * i, heading=2 * np.pi - 0.5))
        if seeding.is_due(pose(0.1 * i)):
            told.append(0.1 * i)
    assert told[0] == pytest.approx(3.2, abs=0.11)  # it was away from 0.1 s on
    assert np.diff(told).min() > 3.0


def test_one_that_comes_back_was_not_lost(seeding):
    seeding.is_due(pose(0.0))
    for i in range(1, 100):
        away = 1.0 if i % 20 < 15 else 0.0
        seeding.take_amcl(pose(0.1 * i, x=away))
        assert not seeding.is_due(pose(0.1 * i))


def test_it_is_told_again_if_it_says_nothing(seeding):
    seeding.is_due(pose(0.0))
    seeding.take_amcl(pose(-1.0))  # of before
    due = [i for i in range(1, 80) if seeding.is_due(pose(0.1 * i))]
    assert len(due) == 2 and due[0] > 30


def test_what_is_not_of_the_same_moment_is_not_compared(seeding):
    seeding.is_due(pose(0.0))
    for i in range(1, 60):
        seeding.take_amcl(pose(0.1 * i + 0.05, x=5.0))
        assert not seeding.is_due(pose(0.05, sigma=(9.0, 9.0)))
    assert not seeding.is_due(pose(0.3, x=5.0))


def test_a_bag_that_is_played_again_starts_anew(seeding):
    assert seeding.is_due(pose(50.0))
    assert not seeding.is_due(pose(51.0))
    assert seeding.is_due(pose(1.0))


def message(covariance: np.ndarray):
    T = np.eye(4)
    T[:2, :2] = [[0, -1], [1, 0]]
    T[:3, 3] = 1.0, 2.0, 3.0
    return pose_with_covariance(T, covariance, 'map', Time(nanoseconds=1_500_000_000).to_msg())


def test_messages_are_read_and_leave_amcl_room():
    sure = message(np.diag([1e-4, 4e-4, 1.0, 1.0, 1.0, 9e-4]))
    read = PlanarPose.of(sure)
    assert read == PlanarPose(1.5, 1.0, 2.0, pytest.approx(np.pi / 2), 0.02, 0.03)
    seed = widened(sure)
    assert seed.header == sure.header and seed.pose.pose == sure.pose.pose
    variances = np.reshape(seed.pose.covariance, (6, 6)).diagonal()
    np.testing.assert_allclose(variances[[0, 1, 5]], [0.01, 0.01, np.radians(5.0) ** 2])
    assert PlanarPose.of(message(LOST_COVARIANCE)).sigma_m > 90
