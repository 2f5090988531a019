"""Landmarks of the room on a darker day."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from mapped_room import RoomField, look, map_room
from textured_room import SIZE_M, drive, write_room

from posemap_ros.alignment.sightings import Sightings
from posemap_ros.alignment.todays_landmarks import agrees, map_today, renewed
from posemap_ros.aprnet.network import APRNet
from posemap_ros.camera import Camera
from posemap_ros.dataset import PosedImages
from posemap_ros.environment import make_aprnet
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.localizer import Estimate
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import AprRecipe, LandmarksRecipe
from posemap_ros.verification.verifier import Verifier

POSES = drive(24)
JUDGES = np.arange(1, 24, 6)
SIGMA = np.diag(np.repeat((0.1, 0.05), 3) ** 2)
COVARIANCE = np.diag(np.repeat((0.01, 0.005), 3) ** 2)  # of the verified poses
FLOOR = np.diag(np.repeat((0.006, 0.003), 3) ** 2)  # of it, what every pose has


@pytest.fixture(scope='module')
def base() -> LandmarkMap:
    return map_room(POSES[::2])


@pytest.fixture(scope='module')
def frames(tmp_path_factory: pytest.TempPathFactory) -> PosedImages:
    """Of today; what their files say of poses is wrong, and must not matter."""
    dataset = write_room(tmp_path_factory.mktemp('today'), POSES, np.full(len(POSES), 0.5))
    wrong = tuple(replace(frame, T_world_cam=np.eye(4)) for frame in dataset.frames)
    return replace(dataset, frames=wrong)


@pytest.fixture(scope='module')
def sightings(frames: PosedImages) -> Sightings:
    count = len(frames)
    estimates = np.empty(count, object)
    for i in range(count):
        estimates[i] = Estimate(POSES[i], SIGMA, 0.0, look(frames.load(i)))
    return Sightings(
        np.zeros((count, 48, 64, 3), np.uint8),
        POSES,
        np.ones(count, bool),
        estimates,
        np.tile(COVARIANCE, (count, 1, 1)),
    )


@pytest.fixture(scope='module')
def today(base: LandmarkMap, frames: PosedImages, sightings: Sightings) -> LandmarkMap:
    torch.manual_seed(0)
    scene = SceneFrame.from_poses(torch.from_numpy(POSES).float())
    camera = Camera(64, 48, 50.0, 50.0, 32.0, 24.0)
    net: APRNet = make_aprnet(scene, camera, AprRecipe()).eval()
    return map_today(base, frames, sightings, RoomField(), net, LandmarksRecipe(), FLOOR)


def test_they_are_where_they_are_and_few(base: LandmarkMap, today: LandmarkMap) -> None:
    off_walls = np.abs(np.abs(today.points) - SIZE_M / 2).min(axis=1)
    assert np.median(off_walls) < 0.02
    assert 100 < len(today) <= len(base) / 6
    np.testing.assert_array_equal(today.T_world_cam, POSES)
    assert (today.sigmas >= 0.01).all()  # no surer than the labels
    expected = np.tile(COVARIANCE - FLOOR, (len(POSES), 1, 1))
    np.testing.assert_allclose(today.pose_covariances, expected, atol=1e-9)


def test_they_join_if_frames_are_verified_as_before(base, today, frames, sightings) -> None:
    with_looks = replace(today, looks=base.looks[np.zeros(len(POSES), int)])
    assert agrees(Verifier(base.joined(with_looks)), frames, sightings, JUDGES)


def test_they_do_not_if_they_lead_elsewhere(base, frames, sightings) -> None:
    def moved(name: str) -> np.ndarray:
        return getattr(base, name) + np.float32(0.3)

    T = base.T_world_cam.copy()
    T[:, :3, 3] += 0.3
    elsewhere = replace(
        base, points=moved('points'), seen_points=moved('seen_points'), T_world_cam=T
    )
    assert not agrees(Verifier(elsewhere), frames, sightings, JUDGES)


def test_places_that_are_not_seen_today_keep_what_they_had(today: LandmarkMap) -> None:
    """Four days of 24 photos do not fit; the places of today are taken from today."""
    shifted = today.T_world_cam.copy()
    shifted[:, 0, 3] += 5.0
    away = replace(today, T_world_cam=shifted)
    other = renewed(renewed(today, away), today)
    count = len(POSES)
    assert len(other.T_world_cam) == 60
    np.testing.assert_array_equal(other.T_world_cam[-count:], today.T_world_cam)
    assert (other.T_world_cam[: 60 - count, 0, 3] > 4.0).sum() == count
