"""Poses from matches made by formulas, with errors that are known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.verification import pose_solver
from posemap_ros.verification.pose_solver import (
    Matches,
    consensus,
    influence,
    moved,
    refine,
    step_between,
)

CAMERA = Camera(320, 240, 205.0, 207.0, 161.0, 118.5)


@pytest.fixture(params=['opencv', 'poselib'])
def solver(request, monkeypatch):
    """Tests that use it run once with each solver that `consensus` may find a pose by."""
    if request.param == 'opencv':
        monkeypatch.setattr(pose_solver, 'poselib', None)
    elif pose_solver.poselib is None:
        pytest.skip('poselib is optional and not installed (requirements/optional.txt)')


def random_pose(rng: np.random.Generator) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(rng.normal(size=3))[0]
    T[:3, 3] = 3 * rng.normal(size=3)
    return T


def scene(
    rng: np.random.Generator, T: np.ndarray, count: int, noise_px: float, depths=(1.0, 5.0)
) -> Matches:
    """Points in view of a camera at T, each seen with noise."""
    size = (CAMERA.width, CAMERA.height)
    pixels = rng.uniform((0, 0), size, (count, 2))
    z = rng.uniform(*depths, count)
    xy = (pixels - (CAMERA.cx, CAMERA.cy)) / (CAMERA.fx, CAMERA.fy)
    points = np.concatenate([xy, np.ones((count, 1))], axis=1) * z[:, None]
    points = points @ T[:3, :3].T + T[:3, 3]
    seen = pixels + noise_px * rng.normal(size=(count, 2))
    return Matches(seen, np.full(count, max(noise_px, 0.1)), points, np.zeros(count))


@pytest.mark.usefixtures('solver')
def test_exact_matches_give_the_exact_pose():
    rng = np.random.default_rng(0)
    for _ in range(5):
        T = random_pose(rng)
        matches = scene(rng, T, 40, 0.0)
        found = refine(consensus(matches, CAMERA, 2.0), matches, CAMERA)
        assert translation_error_m(found.T_map_cam, T) < 1e-6
        assert rotation_error_deg(found.T_map_cam, T) < 1e-5


@pytest.mark.usefixtures('solver')
def test_a_projection_by_the_camera_class_is_what_is_inverted():
    """Half a pixel of difference in conventions would show here."""
    rng = np.random.default_rng(1)
    T = random_pose(rng)
    points = scene(rng, T, 40, 0.0).points
    in_camera = (points - T[:3, 3]) @ T[:3, :3]
    matches = Matches(CAMERA.project(in_camera), np.full(40, 0.5), points, np.zeros(40))
    rough = consensus(matches, CAMERA, 2.0)
    assert translation_error_m(rough, T) < 1e-3
    found = refine(rough, matches, CAMERA)
    assert translation_error_m(found.T_map_cam, T) < 1e-6


@pytest.mark.usefixtures('solver')
def test_wrong_matches_do_no_harm():
    rng = np.random.default_rng(2)
    T = random_pose(rng)
    matches = scene(rng, T, 150, 0.5)
    wrong = rng.random(150) < 0.5
    matches.pixels[wrong] = rng.uniform((0, 0), (320, 240), (wrong.sum(), 2))
    found = refine(consensus(matches, CAMERA, 3.0), matches, CAMERA)
    assert translation_error_m(found.T_map_cam, T) < 0.01
    assert rotation_error_deg(found.T_map_cam, T) < 0.3
    far = found.deviations > 5
    assert np.mean(far == wrong) > 0.95


@pytest.mark.usefixtures('solver')
def test_points_behind_the_camera_are_outliers():
    rng = np.random.default_rng(3)
    T = random_pose(rng)
    matches = scene(rng, T, 60, 0.3)
    behind = np.arange(60) < 15
    matches.points[behind] = 2 * T[:3, 3] - matches.points[behind]
    found = refine(consensus(matches, CAMERA, 3.0), matches, CAMERA)
    assert translation_error_m(found.T_map_cam, T) < 0.01
    assert np.isinf(found.deviations[behind]).all()


@pytest.mark.usefixtures('solver')
def test_one_wall_seen_from_the_front_holds_a_pose():
    rng = np.random.default_rng(4)
    T = random_pose(rng)
    matches = scene(rng, T, 100, 0.3, depths=(2.0, 2.0))
    found = refine(consensus(matches, CAMERA, 3.0), matches, CAMERA)
    assert translation_error_m(found.T_map_cam, T) < 0.03


@pytest.mark.parametrize('count', [0, 3, 5])
@pytest.mark.usefixtures('solver')
def test_too_few_matches_give_none(count):
    rng = np.random.default_rng(5)
    T = random_pose(rng)
    assert consensus(scene(rng, T, count, 0.3), CAMERA, 3.0) is None


def test_points_on_a_line_give_no_sure_pose():
    rng = np.random.default_rng(6)
    T = np.eye(4)
    points = np.linspace(-1, 1, 30)[:, None] * (1.0, 0.5, 0.2) + (0.0, 0.0, 3.0)
    matches = Matches(CAMERA.project(points), np.full(30, 0.5), points, np.zeros(30))
    matches.pixels[:] += 0.3 * rng.normal(size=(30, 2))
    found = refine(T, matches, CAMERA)
    assert found is None or np.sqrt(np.trace(found.covariance[:3, :3])) > 1.0


def test_the_covariance_is_that_of_many_tries():
    """Monte Carlo: steps to the truth, in units of the covariance, are as long as they should be
    (chi-square of six degrees of freedom), in every direction.
    """
    rng = np.random.default_rng(7)
    whitened = []
    for _ in range(200):
        T = random_pose(rng)
        matches = scene(rng, T, 80, 0.6)
        found = refine(T, matches, CAMERA)
        factor = np.linalg.cholesky(found.covariance)
        whitened.append(np.linalg.solve(factor, step_between(found.T_map_cam, T)))
    whitened = np.array(whitened)
    spread = np.sqrt(np.mean(whitened**2, axis=0))
    # The covariance adds what the parts of the image say to what their noise says.
    assert (spread > 0.55).all() and (spread < 1.1).all()


def test_errors_that_neighbours_share_widen_the_covariance():
    """As large as errors that are each their own, they hold the pose less well."""
    rng = np.random.default_rng(8)
    T = random_pose(rng)
    matches = scene(rng, T, 300, 0.2)
    part = (matches.pixels / 80).astype(int).sum(axis=1) % 2 == 0
    shares = {'neighbours': part, 'each its own': rng.permutation(part)}
    size = {}
    for name, right in shares.items():
        pixels = matches.pixels + np.where(right[:, None], (1.0, 0.0), (-1.0, 0.0))
        found = refine(T, Matches(pixels, matches.pixel_sigmas, *_points(matches)), CAMERA)
        size[name] = np.trace(found.covariance[:3, :3])
    assert size['neighbours'] > 1.5 * size['each its own']


def test_more_noise_is_noticed():
    """Standard deviations that are too small are corrected by the residuals."""
    rng = np.random.default_rng(9)
    T = random_pose(rng)
    matches = scene(rng, T, 200, 1.5)
    trusting = Matches(matches.pixels, np.full(200, 0.5), *_points(matches))
    found = refine(T, trusting, CAMERA)
    assert 2.4 < found.scale < 3.6


def test_steps_are_about_fixed_map_axes():
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0.3, -0.4, 0.5]))[0]
    turned = moved(T, np.array([1.0, 2.0, 3.0, 0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(turned[:3, 3], (1.0, 2.0, 3.0))
    # The camera's axes turn from the map's x to its y.
    expected = np.stack([-T[1, :3], T[0, :3], T[2, :3]])
    np.testing.assert_allclose(turned[:3, :3], expected, atol=1e-12)


def test_step_between_undoes_moved():
    rng = np.random.default_rng(10)
    T, step = random_pose(rng), 0.3 * rng.normal(size=6)
    np.testing.assert_allclose(step_between(T, moved(T, step)), step, atol=1e-9)


def _points(matches: Matches) -> tuple[np.ndarray, np.ndarray]:
    return matches.points, matches.point_sigmas


def test_influence_is_how_far_a_pose_follows_some_of_the_points():
    rng = np.random.default_rng(5)
    T = random_pose(rng)
    # So small beside the standard deviations that robust weights do not change.
    matches = replace(scene(rng, T, 60, 0.0), pixel_sigmas=np.full(60, 5.0))
    chosen = rng.random(60) < 0.4
    found = refine(T, matches, CAMERA)
    A = influence(found, matches, CAMERA, chosen)
    for step in 1e-3 * np.eye(6):
        # The chosen points as if the camera that placed them had been a step aside.
        carried = moved(found.T_map_cam, step) @ np.linalg.inv(found.T_map_cam)
        points = matches.points.copy()
        points[chosen] = points[chosen] @ carried[:3, :3].T + carried[:3, 3]
        after = refine(found.T_map_cam, replace(matches, points=points), CAMERA)
        went = step_between(found.T_map_cam, after.T_map_cam)
        np.testing.assert_allclose(went, A @ step, atol=2e-5)
    everything, nothing = np.ones(60, bool), np.zeros(60, bool)
    np.testing.assert_allclose(influence(found, matches, CAMERA, everything), np.eye(6), atol=1e-9)
    np.testing.assert_array_equal(influence(found, matches, CAMERA, nothing), np.zeros((6, 6)))
