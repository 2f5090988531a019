"""A room calibrated on its own photos."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mapped_room import look, map_room
from textured_room import CAMERA, drive, write_room

from posemap_ros.dataset import PosedImages
from posemap_ros.localizer import Estimate
from posemap_ros.verification.calibrate import (
    _NOTHING,
    _Findings,
    _held_out,
    _measure,
    _placed_again,
    calibrate,
)
from posemap_ros.verification.calibration import Calibration
from posemap_ros.verification.verifier import Verifier
from posemap_ros.verification.visibility import Visibility


@pytest.fixture(scope='module')
def room(tmp_path_factory):
    poses = drive(60)[::2]
    return map_room(poses), write_room(tmp_path_factory.mktemp('room') / 'data', poses)


def localizer_of(dataset):
    """An estimate a little off the true pose: the frame is known by its image."""
    frames = {dataset.load(i).tobytes(): i for i in range(len(dataset))}

    def localize(image, camera):
        T = dataset.frames[frames[image.tobytes()]].T_world_cam.copy()
        T[:3, 3] += 0.05
        sigmas = np.repeat((0.05, 0.02), 3)
        return Estimate(T, np.diag(sigmas**2), 0.0, look(image))

    return localize


def test_a_room_with_exact_landmarks_gets_small_spreads_and_low_thresholds(room):
    landmarks, dataset = room
    found = calibrate(landmarks, dataset, localizer_of(dataset))
    assert found != Calibration()
    assert found.floor_m < 0.01
    assert found.support_agreeing < found.support_alone < 16.0


def test_few_photos_give_cautious_figures(tmp_path):
    """However well those few were localized."""
    poses = drive(14)
    dataset = write_room(tmp_path / 'data', poses)
    found, default = calibrate(map_room(poses), dataset, localizer_of(dataset)), Calibration()
    assert found.support_agreeing >= default.support_agreeing
    assert found.support_alone >= default.support_alone
    assert 0.01 < found.floor_m < 0.05 and found.floor_rad == 0.01


def test_what_wrong_poses_had_counts_though_none_is_right(room, monkeypatch):
    landmarks, dataset = room

    def all_are_wrong(*given):
        given[-1].wrong_supports.append(5.0)

    monkeypatch.setattr('posemap_ros.verification.calibrate._measure', all_are_wrong)
    found = calibrate(landmarks, dataset, localizer_of(dataset))
    assert (found.support_agreeing, found.support_alone) == (6.25, 10.0)
    assert found.floor_m >= 0.01 and found.floor_rad == 0.01


@pytest.mark.parametrize('photos', [0, 1, 2])
def test_next_to_no_photos_are_no_fault(room, tmp_path, photos):
    """Those of the map that the data still has."""
    poses = drive(4)
    dataset = write_room(tmp_path / 'data', np.concatenate([poses[:photos], drive(30)[20:]]))
    landmarks = map_room(poses[: max(1, photos)])
    found = calibrate(landmarks, dataset, localizer_of(dataset))
    assert (found.support_agreeing, found.support_alone) == (4.5, 7.0)
    assert found.floor_m >= 0.01 and found.floor_rad >= 0.01


def test_of_a_place_seen_from_afar_nothing_is_known_to_the_centimetre(room):
    landmarks, dataset = room
    near = landmarks.of_photos(np.arange(1))
    for times, floor_m in ((1, 0.02), (20, 0.1 * Visibility(near).reach)):
        T = near.T_world_cam.copy()
        T[:, :3, 3] *= times
        far = replace(
            near,
            points=times * near.points,
            seen_points=times * near.seen_points,
            T_world_cam=T,
        )
        found = calibrate(far, dataset, localizer_of(dataset))
        assert found.floor_m == pytest.approx(floor_m, rel=1e-5)


@pytest.mark.parametrize(('photos', 'localized'), [(1, 0), (2, 1), (30, 30), (450, 160)])
def test_a_small_place_is_localized_photo_by_photo_and_of_a_large_one_some(
    room, photos, localized
):
    """Where there are others far enough: of the drive's first two, for one of them."""
    landmarks, _ = room
    some = landmarks.of_photos(np.arange(photos) % len(landmarks.T_world_cam))
    placed = replace(some, T_world_cam=drive(photos))
    held_out = list(_held_out(placed, Visibility(placed)))
    assert len({photo for photo, _ in held_out}) == len(held_out) == localized
    assert all(photo in left_out and len(left_out) < photos for photo, left_out in held_out)


def test_photos_are_localized_from_near_and_from_far_by_turns(room):
    """How far it is to the nearest that is left, where many lie close to each other, named at
    random.
    """
    landmarks, _ = room
    T_world_cam = np.random.default_rng(0).permutation(drive(450))
    placed = replace(landmarks.of_photos(np.zeros(450, int)), T_world_cam=T_world_cam)
    nearest = []
    for photo, left_out in _held_out(placed, Visibility(placed)):
        apart = np.add(*Visibility(placed).apart(placed.T_world_cam[photo]))
        nearest.append(np.delete(apart, left_out).min())
    assert min(nearest[::2]) >= 0.25
    assert all(0.12 <= gap < 0.25 for gap in nearest[1::2])


def test_moments_before_and_after_are_left_out_wherever_the_camera_was(room):
    """One that jumps to and fro between two places."""
    landmarks, _ = room
    there = np.where(np.arange(100) % 2, 20, 0)
    jumping = replace(
        landmarks.of_photos(np.zeros(100, int)), T_world_cam=landmarks.T_world_cam[there]
    )
    held_out = list(_held_out(jumping, Visibility(jumping)))
    assert len(held_out) == 100
    for photo, left_out in held_out:
        assert {photo - 1, photo + 1} & set(range(100)) <= set(left_out)


def test_what_another_camera_took_from_there_is_left_out_too(room):
    """The files of one camera come after those of the other, or in any order."""
    landmarks, _ = room
    beside = landmarks.T_world_cam.copy()
    beside[:, :3, 3] += 0.01
    both = landmarks.joined(replace(landmarks, T_world_cam=beside))
    count = len(beside)
    for order in (np.arange(2 * count), np.random.default_rng(0).permutation(2 * count)):
        shuffled = both.of_photos(order)
        for photo, left_out in _held_out(shuffled, Visibility(shuffled)):
            assert {order[photo], (order[photo] + count) % (2 * count)} <= set(order[left_out])


def test_mirror_images_are_tried_of_a_distorted_camera_too(room):
    """As the landmarks' camera, which has no distortion, would have taken them."""
    landmarks, dataset = room
    lens = replace(CAMERA, distortion_model='plumb_bob', distortion=(-0.2, 0.03, 0.0, 0.0, 0.0))
    distorted = PosedImages(dataset.root, lens, dataset.frames)
    tried = []

    class Recording(Verifier):
        def attempts(self, image, camera, estimate, prior=None):
            tried.append((image, camera))
            return super().attempts(image, camera, estimate, prior)

    verifier = Recording(landmarks, _NOTHING)
    _measure(verifier, distorted, 5, localizer_of(dataset), 0.25, _Findings([], [], []))
    image, camera = tried[-1]
    assert camera == landmarks.camera != lens
    assert np.array_equal(image, distorted.load_as(5, landmarks.camera)[:, ::-1])


def test_landmarks_are_placed_again_where_the_rays_that_are_left_cross():
    truth = np.array([[0.5, 0.2, 3.0], [1.0, -1.0, 4.0], [0.0, 0.0, 2.0], [0.3, 0.3, 5.0]])
    eyes = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.5]])
    # The first by three eyes, the second by two, the third by none that is left, the last by one.
    seen, eye = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 1, 2, 0, 2, 1])
    # What stands in the map is off, and so is how far along its ray each sighting says it is.
    points = (truth + 0.1).astype(np.float32)
    along = np.array([0.9, 1.05, 1.1, 1.02, 0.93, 1.0])
    ends = eyes[eye] + along[:, None] * (truth[seen] - eyes[eye])
    placed = _placed_again(points, np.array([0, 2, 3]), seen, eyes[eye], ends)
    assert np.allclose(placed[0], truth[0], atol=1e-3)
    assert np.array_equal(placed[1:3], points[1:3])  # not asked for; not seen
    assert np.allclose(placed[3], ends[-1], atol=1e-5)
