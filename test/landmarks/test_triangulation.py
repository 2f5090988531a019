import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.landmarks.triangulation import Sightings, triangulate
from posemap_ros.rigid import invert

CAMERA = Camera(320, 240, 205.0, 205.0, 160.0, 120.0)
NO_DEPTH = 1e6  # standard deviation, metres


def row_of_cameras(count, step=0.2):
    """Side by side, all looking along z: T_world_cam [count, 4, 4]."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 0, 3] = step * (np.arange(count) - (count - 1) / 2)
    return poses


def see(points, poses):
    """Pixels [n, p, 2] and depths [n, p] of points in all photos."""
    local = points[:, None] - poses[:, :3, 3]  # these cameras do not turn
    return CAMERA.project(local), local[..., 2]


def sightings_of(pixels, depths, depth_sigma):
    n, p = depths.shape
    return Sightings(
        np.repeat(np.arange(n), p),
        np.tile(np.arange(p), n),
        pixels.reshape(-1, 2),
        depths.ravel(),
        np.broadcast_to(depth_sigma, (n, p)).ravel(),
    )


def points_ahead(count, seed=0):
    return np.random.default_rng(seed).uniform((-1, -0.7, 2), (1, 0.7, 4), (count, 3))


def test_exact_sightings_give_exact_points():
    points, poses = points_ahead(50), row_of_cameras(4)
    pixels, depths = see(points, poses)
    wrong = depths * 1.3  # where the search begins
    found = triangulate(sightings_of(pixels, wrong, NO_DEPTH), 50, poses, CAMERA, 0.5)
    np.testing.assert_allclose(found.points, points, atol=1e-5)
    np.testing.assert_allclose(found.depths, depths.ravel(), atol=1e-5)
    np.testing.assert_allclose(found.errors_px, 0, atol=1e-3)


def test_cameras_that_turn_and_points_seen_by_some_of_them():
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.5, 0.5, (20, 3))
    poses = np.tile(np.eye(4), (6, 1, 1))
    for pose, angle in zip(poses, np.linspace(0, 2, 6)):  # around the points
        forward = np.array([np.cos(angle), np.sin(angle), 0.0])
        pose[:3, :3] = np.stack([np.cross((0, 0, -1), forward), (0, 0, -1), forward], axis=1)
        pose[:3, 3] = -3 * forward
    T = invert(poses)
    local = np.einsum('pij,nj->npi', T[:, :3, :3], points) + T[:, :3, 3]
    seen = rng.uniform(size=(20, 6)) < 0.7
    seen[:, [0, 3]] = True
    track, photo = np.nonzero(seen)
    sightings = Sightings(
        track,
        photo,
        CAMERA.project(local)[track, photo],
        np.full(len(track), 2.5),
        np.full(len(track), NO_DEPTH),
    )
    found = triangulate(sightings, 20, poses, CAMERA, 0.5)
    np.testing.assert_allclose(found.points, points, atol=1e-4)


def test_covariance_is_that_of_many_trials():
    poses, sigma_px = row_of_cameras(4, step=0.3), 0.4
    points = np.tile([[0.3, -0.2, 3.0]], (3000, 1))
    pixels, depths = see(points, poses)
    pixels += np.random.default_rng(1).normal(0, sigma_px, pixels.shape)
    found = triangulate(sightings_of(pixels, depths, NO_DEPTH), 3000, poses, CAMERA, sigma_px)
    measured = np.cov((found.points - points).T)
    # The robust weights give a few per cent away, and say so.
    np.testing.assert_allclose(
        np.sqrt(np.diag(measured)),
        np.sqrt(np.diag(found.covariances.mean(axis=0))),
        rtol=0.2,
    )


def test_without_parallax_the_depth_decides_and_with_it_it_does_not():
    points = points_ahead(200)
    for step, depth_decides in ((0.0, True), (0.5, False)):
        poses = row_of_cameras(3, step)
        pixels, depths = see(points, poses)
        found = triangulate(sightings_of(pixels, depths + 0.1, 0.1), 200, poses, CAMERA, 0.2)
        off = found.points[:, 2] - points[:, 2]
        np.testing.assert_allclose(off, 0.1 if depth_decides else 0.0, atol=0.02)


def test_one_photo_and_depth_make_a_point_as_sure_as_the_depth():
    points, poses = points_ahead(20), row_of_cameras(1)
    pixels, depths = see(points, poses)
    found = triangulate(sightings_of(pixels, depths, 0.15), 20, poses, CAMERA, 0.5)
    np.testing.assert_allclose(found.points, points, atol=1e-4)
    np.testing.assert_allclose(np.sqrt(found.covariances[:, 2, 2]), 0.15, rtol=0.05)


def test_many_photos_count_one_field_once():
    """NeRF-P errs in all photos of a point alike."""
    points, poses = points_ahead(5), row_of_cameras(8, step=0.0)
    pixels, depths = see(points, poses)
    found = triangulate(sightings_of(pixels, depths, 0.15), 5, poses, CAMERA, 0.5)
    np.testing.assert_allclose(np.sqrt(found.covariances[:, 2, 2]), 0.15, rtol=0.05)


def test_one_wrong_sighting_moves_the_point_little_and_stands_out():
    points, poses = points_ahead(50), row_of_cameras(6)
    pixels, depths = see(points, poses)
    pixels[:, 2] += (25, 12)
    found = triangulate(sightings_of(pixels, depths, NO_DEPTH), 50, poses, CAMERA, 0.5)
    np.testing.assert_allclose(found.points, points, atol=0.05)
    errors = found.errors_px.reshape(50, 6)
    assert (errors[:, 2] > 20).all()
    assert (np.delete(errors, 2, axis=1) < 1).all()


def test_depth_that_contradicts_stands_out():
    points, poses = points_ahead(50), row_of_cameras(6, step=0.4)
    pixels, depths = see(points, poses)
    found = triangulate(sightings_of(pixels, 2 * depths, 0.1), 50, poses, CAMERA, 0.3)
    assert (np.abs(found.depth_errors) > 5).all()


@pytest.mark.parametrize('far', [1e3, 1e5])
def test_points_far_away_stay_finite(far):
    points, poses = np.array([[0.0, 0.0, far]]), row_of_cameras(3)
    pixels, depths = see(points, poses)
    found = triangulate(sightings_of(pixels, depths, 0.1 * far), 1, poses, CAMERA, 0.5)
    assert np.isfinite(found.points).all() and np.isfinite(found.covariances).all()
