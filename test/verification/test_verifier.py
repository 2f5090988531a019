"""In a room whose landmarks are known, an image's pose is found to millimetres, and a foreign
image has none.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from mapped_room import look, map_room
from textured_room import CAMERA, drive, render
from tiny_environment import make_tiny_environment

from posemap_ros.camera import Camera
from posemap_ros.environment import Environment
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.localizer import Estimate
from posemap_ros.verification.pose_solver import moved
from posemap_ros.verification.verifier import Prior, Verification, Verifier

POSES = drive(80)
MAPPED, SEEN = POSES[::2], POSES[5:80:8]
FAR = np.array([0.0, 0.0, 0.0, 0.0, 0.0, np.pi])


@pytest.fixture(scope='module')
def verifier() -> Verifier:
    return Verifier(map_room(MAPPED))


def estimate_at(T: np.ndarray, image: np.ndarray, sigma_m=0.1, sigma_deg=3.0) -> Estimate:
    sigmas = np.repeat((sigma_m, np.radians(sigma_deg)), 3)
    return Estimate(T, np.diag(sigmas**2), 0.0, look(image))


def off(T: np.ndarray, seed: int = 0) -> np.ndarray:
    """A pose about 0.1 m and 3 degrees from another."""
    rng = np.random.default_rng(seed)
    return moved(T, rng.normal(size=6) * np.repeat((0.06, 0.03), 3))


def check(found: Verification, T: np.ndarray) -> None:
    assert found.verified, found.reason
    assert translation_error_m(found.T_map_cam, T) < 0.02
    assert rotation_error_deg(found.T_map_cam, T) < 0.5


def test_finds_the_pose_near_the_estimate(verifier):
    for seed, T in enumerate(SEEN):
        image, _ = render(T)
        check(verifier.verify(image, CAMERA, estimate_at(off(T, seed), image)), T)


def test_a_camera_held_upright_finds_the_pose_as_surely(verifier):
    """The same lens, turned by a quarter about its axis."""
    upright = Camera(180, 240, 190.0, 190.0, 90.0, 120.0)
    quarter = np.eye(4)
    quarter[:2, :2] = [[0, -1], [1, 0]]
    turned = Verifier(map_room(MAPPED @ quarter, camera=upright))
    ratios = []
    for seed, T in enumerate(SEEN[:5]):
        image, _ = render(T)
        as_usual = verifier.verify(image, CAMERA, estimate_at(off(T, seed), image))
        image, _ = render(T @ quarter, upright)
        found = turned.verify(image, upright, estimate_at(off(T, seed) @ quarter, image))
        check(found, T @ quarter)
        ratios.append(found.sigma_translation_m / as_usual.sigma_translation_m)
    assert np.median(ratios) == pytest.approx(1.0, abs=0.15)


def test_the_covariance_is_a_covariance(verifier):
    image, _ = render(SEEN[0])
    found = verifier.verify(image, CAMERA, estimate_at(off(SEEN[0]), image))
    assert found.covariance.shape == (6, 6)
    np.testing.assert_allclose(found.covariance, found.covariance.T)
    assert (np.linalg.eigvalsh(found.covariance) > 0).all()


def test_what_verified_photos_are_off_by_is_inherited(verifier):
    """However many landmarks of such photos agree."""
    image, _ = render(SEEN[0])
    estimate = estimate_at(off(SEEN[0]), image)
    before = verifier.verify(image, CAMERA, estimate).covariance
    C = np.diag(np.repeat((0.02, 0.01), 3) ** 2).astype(np.float32)
    all_of_them = np.tile(C, (len(MAPPED), 1, 1))
    unsure = Verifier(replace(verifier.landmarks, pose_covariances=all_of_them))
    found = unsure.verify(image, CAMERA, estimate)
    np.testing.assert_allclose(found.covariance, before + C, atol=1e-9)
    # A map beside one whose photos are sure: somewhere between.
    joined = Verifier(verifier.landmarks.joined(unsure.landmarks))
    some = joined.verify(image, CAMERA, estimate)
    share = (np.diag(some.covariance) - np.diag(before)) / np.diag(C)
    assert some.verified and (share < 0.9).all()


def test_a_kidnapped_robot_is_found_by_what_the_place_looks_like(verifier):
    T = SEEN[3]
    image, _ = render(T)
    found = verifier.verify(image, CAMERA, estimate_at(moved(T, FAR), image))
    check(found, T)
    assert found.origin == 'look-alike photos'
    assert not found.evidence.agrees


def test_the_prior_helps_where_the_estimate_is_wrong(verifier):
    T = SEEN[4]
    image, _ = render(T)
    unlike = replace(estimate_at(moved(T, FAR), image), descriptor=look(255 - image))
    found = verifier.verify(image, CAMERA, unlike, Prior(off(T), 0.1, 3.0))
    check(found, T)
    assert found.origin == 'prior'


def test_a_wrong_prior_does_no_harm(verifier):
    T = SEEN[5]
    image, _ = render(T)
    prior = Prior(moved(T, FAR), 0.02, 1.0)
    check(verifier.verify(image, CAMERA, estimate_at(off(T), image), prior), T)


def test_a_prior_that_may_lie_anywhere_agrees_with_nothing(verifier):
    """A robot that stood still for long, without odometry, was carried through the room."""
    T = SEEN[3]
    image, _ = render(T)
    estimate = estimate_at(moved(T, FAR), image)
    there = off(T)
    for prior, agrees in [
        (Prior(moved(T, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), 5.0, 180.0), False),
        (Prior(there, 5.0, 180.0), True),  # as the estimate would, had it said so
        (Prior(there, 0.001, 180.0), False),
        (Prior(there, 5.0, 0.01), False),
    ]:
        found = verifier.verify(image, CAMERA, estimate, prior)
        check(found, T)
        assert found.evidence.agrees == agrees


def test_another_camera_is_adapted(verifier):
    wide = Camera(320, 240, 230.0, 230.0, 161.0, 119.0, 'plumb_bob', (-0.1, 0.02, 0.0, 0.0, 0.0))
    pinhole = wide.undistorted()
    T = SEEN[2]
    large, _ = render(T, replace(pinhole, width=480, height=360, cx=240.0, cy=180.0))
    # What the distorted camera sees of a larger view, pixel by pixel.
    u, v = np.meshgrid(np.arange(wide.width) + 0.5, np.arange(wide.height) + 0.5)
    distorted = np.stack([u, v], axis=-1).reshape(-1, 1, 2) - 0.5
    rays = cv2.undistortPoints(distorted, wide.matrix_opencv(), np.array(wide.distortion))
    at = (rays * 230.0 + (240.0, 180.0) - 0.5).reshape(240, 320, 2).astype(np.float32)
    image = cv2.remap(large, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    check(verifier.verify(image, wide, estimate_at(off(T), image)), T)


def test_landmarks_of_today_by_another_detector_are_left_out(tmp_path, caplog):
    environment = Environment.load(make_tiny_environment(tmp_path / 'environment'))
    environment = environment.add_landmarks(map_room(POSES[:2]).to_bytes(), {})
    today = map_room(POSES[2:4])
    environment.add_revision(environment.load_aprnet(), {}, today.to_bytes())
    assert len(Verifier.of(Environment.load(environment.path)).landmarks.T_world_cam) == 4
    assert not caplog.records

    anew = map_room(POSES[:2], 'akaze')
    Environment.load(environment.path).add_landmarks(anew.to_bytes(), {})
    found = Verifier.of(Environment.load(environment.path))
    assert found.landmarks.detector == 'akaze'
    assert len(found.landmarks) == len(anew)
    [warning] = caplog.records
    assert 'todays_landmarks.safetensors were found with another detector' in warning.message


def foreign_images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (CAMERA.height, CAMERA.width, 3)
    view, _ = render(SEEN[0])
    pieces = view.reshape(9, 20, 12, 20, 3).swapaxes(1, 2).reshape(-1, 20, 20, 3)
    mixed = rng.permutation(pieces).reshape(9, 12, 20, 20, 3).swapaxes(1, 2).reshape(shape)
    coarse = rng.integers(0, 255, (30, 40, 3)).astype(np.uint8)
    return {
        'black': np.zeros(shape, np.uint8),
        'noise': rng.integers(0, 255, shape).astype(np.uint8),
        'another texture': cv2.resize(coarse, (CAMERA.width, CAMERA.height)),
        'mirrored': np.ascontiguousarray(view[:, ::-1]),
        'upside down and mirrored': np.ascontiguousarray(view[::-1]),
        'blurred': cv2.GaussianBlur(view, (0, 0), 0.05 * CAMERA.width),
        'its pieces in another order': mixed,
    }


@pytest.mark.parametrize('name', foreign_images())
def test_foreign_images_are_not_verified(verifier, name):
    image = foreign_images()[name]
    found = verifier.verify(image, CAMERA, estimate_at(SEEN[0], image))
    assert not found.verified
    assert found.reason
