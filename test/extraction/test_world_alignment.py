import cv2
import numpy as np
import pytest
from textured_room import drive

from posemap_ros.dataset import DatasetError
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.extraction.world_alignment import (
    Similarity,
    align_world,
    robust_similarity,
    similarity_between,
)

ANY = Similarity(0.17, cv2.Rodrigues(np.array([0.4, -1.1, 0.7]))[0], np.array([3.0, -2.0, 5.0]))


def as_reconstructed(poses):
    """In the world and unit that a reconstruction happens to have."""
    return [ANY.of_pose(T) for T in poses]


def test_a_similarity_is_recovered_exactly():
    points = np.random.default_rng(0).normal(size=(10, 3))
    found = similarity_between(points, ANY(points))
    assert found.scale == pytest.approx(ANY.scale)
    np.testing.assert_allclose(found.rotation, ANY.rotation, atol=1e-12)
    np.testing.assert_allclose(found.translation, ANY.translation, atol=1e-12)


def test_a_similarity_between_mirrored_points_is_no_reflection():
    points = np.random.default_rng(0).normal(size=(10, 3))
    found = similarity_between(points, points * (1, 1, -1))
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_outliers_do_not_change_a_robust_similarity():
    points = np.random.default_rng(0).normal(size=(40, 3))
    moved = ANY(points)
    moved[::3] += np.random.default_rng(1).normal(size=(14, 3))
    similarity, inliers = robust_similarity(points, moved, 0.01)
    assert similarity.scale == pytest.approx(ANY.scale)
    assert inliers.tolist() == [i % 3 != 0 for i in range(40)]


def test_points_that_mostly_disagree_have_no_similarity():
    points = np.random.default_rng(0).normal(size=(40, 3))
    assert robust_similarity(points, np.random.default_rng(1).normal(size=(40, 3)), 0.05) is None
    assert robust_similarity(points[:2], points[:2], 0.05) is None
    assert robust_similarity(np.zeros((5, 3)), points[:5], 0.05) is None


def test_poses_get_the_world_and_the_scale_of_rough_metric_ones():
    true = drive(60)
    poses = as_reconstructed(true)
    poses[7] = None  # not registered
    rough = [T.copy() for T in true]
    for T, noise in zip(rough, np.random.default_rng(0).normal(scale=0.01, size=(60, 3))):
        T[:3, 3] += noise
    rough[3] = None  # not known
    rough[20][:3, 3] += 5  # wrong
    aligned = align_world(poses, rough)
    assert aligned.scale == 'metric' and aligned.T_world_cam[7] is None
    assert '57 of 58 known positions' in aligned.report[0]
    found = [i for i in range(60) if i != 7]
    estimated = np.stack([aligned.T_world_cam[i] for i in found])
    assert translation_error_m(estimated, true[found]).max() < 0.01
    assert rotation_error_deg(estimated, true[found]).max() < 1.0


def test_a_straight_odometry_gives_the_scale_but_not_the_roll():
    """Around a line the world could turn freely: it is turned up instead."""
    true = drive(30)
    true[:, :3, 3] = np.outer(np.arange(30) * 0.1, (1.0, 0.2, 0.0))
    aligned = align_world(as_reconstructed(true), list(true))
    assert aligned.scale == 'metric' and 'along a line' in aligned.report[0]
    poses = np.stack(aligned.T_world_cam)
    assert np.linalg.norm(poses[-1] - poses[0], axis=0)[3] == pytest.approx(2.9 * np.hypot(1, 0.2))
    up = -poses[:, :3, 1].mean(axis=0)
    np.testing.assert_allclose(up / np.linalg.norm(up), (0, 0, 1), atol=1e-9)


def test_a_distance_sets_the_scale():
    true = drive(20)
    metres = float(np.linalg.norm(true[2, :3, 3] - true[15, :3, 3]))
    aligned = align_world(as_reconstructed(true), None, (2, 15, metres))
    assert aligned.scale == 'metric'
    steps = np.diff(np.stack(aligned.T_world_cam)[:, :3, 3], axis=0)
    np.testing.assert_allclose(
        np.linalg.norm(steps, axis=1), np.linalg.norm(np.diff(true[:, :3, 3], axis=0), axis=1)
    )


@pytest.mark.parametrize(
    ('distance', 'reason'),
    [
        ((0, 5, 1.0), 'frame 5 is not registered'),
        ((0, 99, 1.0), 'frame 99 is not registered'),
        ((0, 1, -1.0), 'must be positive'),
        ((2, 2, 1.0), 'same place'),
    ],
)
def test_a_distance_that_cannot_be_used_is_refused(distance, reason):
    poses = as_reconstructed(drive(10))
    poses[5] = None
    with pytest.raises(DatasetError, match=reason):
        align_world(poses, None, distance)


@pytest.mark.parametrize('known', [None, [None] * 10, list(np.tile(np.eye(4), (10, 1, 1)))])
def test_without_anything_metric_the_scale_is_said_to_be_arbitrary(known):
    aligned = align_world(as_reconstructed(drive(10)), known)
    assert aligned.scale == 'arbitrary' and 'ARBITRARY' in aligned.report[0]
    assert 'z is up' in aligned.report[1]
