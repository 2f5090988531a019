"""A map of the room with the patterned walls, whose geometry is known."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import textured_room
import torch
from mapped_room import RoomField

from posemap_ros.camera import Camera
from posemap_ros.environment import make_aprnet
from posemap_ros.landmarks.depth import ray_depths
from posemap_ros.landmarks.keypoints import Sift, make_detector
from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.landmarks.mapping import NothingInCommon, map_landmarks
from posemap_ros.landmarks.matching import unit_vectors
from posemap_ros.nerf_p.scene import SceneFrame
from posemap_ros.recipe import AprRecipe, LandmarksRecipe

RECIPE = LandmarksRecipe(keypoints=300, landmarks=5000)


@pytest.fixture(scope='module')
def net():
    torch.manual_seed(0)
    scene = SceneFrame.from_poses(torch.from_numpy(textured_room.drive(40)).float())
    camera = Camera(64, 48, 50.0, 50.0, 32.0, 24.0)
    recipe = AprRecipe()
    return make_aprnet(scene, camera, recipe).eval()


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp('room')
    return textured_room.write_room(root, textured_room.drive(40))


@pytest.fixture(scope='module')
def landmarks(dataset, net, tmp_path_factory):
    return map_landmarks(dataset, RoomField(), net, RECIPE, tmp_path_factory.mktemp('work'))


def off_the_walls(points):
    """Distances [n] from the nearest wall, metres."""
    return np.abs(np.abs(points) - textured_room.SIZE_M / 2).min(axis=-1)


def test_landmarks_lie_on_the_walls_as_surely_as_they_say(landmarks):
    views = np.bincount(landmarks.seen, minlength=len(landmarks))
    assert (views >= 3).sum() > 300
    distance = off_the_walls(landmarks.points)
    assert np.median(distance[views >= 3]) < 0.01
    assert np.mean(distance < 3 * landmarks.sigmas) > 0.9
    assert np.median(off_the_walls(landmarks.seen_points)) < 0.03


class NearField(RoomField):
    """A field that learned nothing: it paints what is seen close before the camera."""

    depth_share = 0.2


def test_a_field_that_is_wrong_everywhere_is_not_believed(dataset, net, tmp_path):
    landmarks = map_landmarks(dataset, NearField(), net, RECIPE, tmp_path)
    views = np.bincount(landmarks.seen, minlength=len(landmarks))
    distance = off_the_walls(landmarks.points)
    assert (views >= 3).sum() > 300
    assert np.median(distance[views >= 3]) < 0.01
    assert np.mean(distance < 3 * landmarks.sigmas) > 0.9


def test_each_photo_sees_its_landmarks_where_they_are(landmarks, dataset):
    camera = landmarks.camera
    for photo, T_world_cam in enumerate(dataset.poses):
        seen = landmarks.seen_by(photo)
        assert len(seen) > 40
        local = (landmarks.points[seen] - T_world_cam[:3, 3]) @ T_world_cam[:3, :3]
        pixels = camera.project(local)
        part = slice(*landmarks.photo_offsets[photo : photo + 2])
        own = (landmarks.seen_points[part] - T_world_cam[:3, 3]) @ T_world_cam[:3, :3]
        assert np.nanmedian(np.linalg.norm(pixels - camera.project(own), axis=1)) < 1.0


def test_an_image_from_elsewhere_is_localized_to_a_centimetre(landmarks):
    T_world_cam = textured_room.drive(40)[20].copy()
    T_world_cam[:3, 3] += (0.06, -0.05, 0.04)
    image, _ = textured_room.render(T_world_cam)
    sift = make_detector('sift')
    query = sift.detect(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), max_keypoints=300)
    index, points = landmarks.seen_from(np.arange(16, 25))
    alike = (
        unit_vectors(query.descriptors, sift) @ unit_vectors(landmarks.descriptors[index], sift).T
    )
    best = alike.argmax(axis=1)
    mutual = np.flatnonzero(alike.argmax(axis=0)[best] == np.arange(len(best)))
    cv2.setRNGSeed(0)
    found, turn, shift, inliers = cv2.solvePnPRansac(
        points[best[mutual]],
        query.points[mutual].astype(float) - 0.5,
        landmarks.camera.matrix_opencv(),
        None,
        reprojectionError=1.5,
        flags=cv2.SOLVEPNP_SQPNP,
    )
    assert found and len(inliers) > 50
    position = -cv2.Rodrigues(turn)[0].T @ shift.ravel()
    assert np.linalg.norm(position - T_world_cam[:3, 3]) < 0.01


def test_photos_are_described_as_an_estimate_describes_its_image(landmarks, dataset, net):
    camera = landmarks.camera
    assert (camera.width, camera.height) == (240, 180)
    np.testing.assert_allclose(
        np.linalg.norm(landmarks.looks.astype(float), axis=1), 1.0, atol=0.01
    )
    alike = landmarks.looks.astype(float) @ landmarks.looks[10].astype(float)
    assert alike.argmax() == 10


def test_the_map_is_one_that_can_be_read(landmarks, tmp_path):
    landmarks.save(tmp_path / 'landmarks.safetensors')
    again = LandmarkMap.load(tmp_path / 'landmarks.safetensors')
    np.testing.assert_array_equal(again.seen_points, landmarks.seen_points)


def test_a_stopped_run_goes_on_and_gives_the_same(dataset, net, landmarks, tmp_path, monkeypatch):
    looked_at, detect = [], Sift.detect

    def counting(self, *args, **more):
        looked_at.append(1)
        if len(looked_at) == 30:
            raise KeyboardInterrupt
        return detect(self, *args, **more)

    monkeypatch.setattr(Sift, 'detect', counting)
    with pytest.raises(KeyboardInterrupt):
        map_landmarks(dataset, RoomField(), net, RECIPE, tmp_path)
    again = map_landmarks(dataset, RoomField(), net, RECIPE, tmp_path)
    assert 40 < len(looked_at) < 60  # not all forty a second time
    assert again.to_bytes() == landmarks.to_bytes()


def test_other_choices_do_not_go_on_with_the_same_work(dataset, net, tmp_path):
    small = replace(RECIPE, image_width=160, photos=10, landmarks=100)
    for recipe in (small, replace(small, detector='orb')):
        landmarks = map_landmarks(dataset, RoomField(), net, recipe, tmp_path)
        assert landmarks.detector == recipe.detector
        assert (landmarks.camera.width, landmarks.camera.height) == (160, 120)
        assert len(landmarks.T_world_cam) == 10
        assert len(landmarks) <= 100


def test_where_the_camera_stood_no_more_photos_are_taken_than_elsewhere(dataset, net, tmp_path):
    stood = tuple(replace(dataset.frames[0], name=f'stood/{i}') for i in range(40))
    halted = replace(dataset, frames=(*stood, *dataset.frames[1:]))
    few = replace(RECIPE, photos=12)
    poses = map_landmarks(halted, RoomField(), net, few, tmp_path).T_world_cam
    assert len(poses) == 12
    assert (np.abs(poses - dataset.poses[0]).max(axis=(1, 2)) < 1e-9).sum() <= 1


def test_photos_with_nothing_in_common_are_told(dataset, net, tmp_path):
    far_apart = replace(dataset, frames=dataset.frames[::30])
    with pytest.raises(NothingInCommon, match='no two photos'):
        map_landmarks(far_apart, RoomField(), net, RECIPE, tmp_path)


def test_depths_along_rays_and_their_spread():
    origins = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).repeat(800, axis=0)  # several chunks
    directions = np.array([[1.0, 0.01, 0.01]]).repeat(1600, axis=0)
    depths, spreads = ray_depths(RoomField(), origins, directions)
    np.testing.assert_allclose(depths, np.repeat([1.96, 0.98], 800), rtol=1e-5)
    np.testing.assert_allclose(spreads, np.repeat([0.0196, 0.0098], 800), rtol=1e-4)
