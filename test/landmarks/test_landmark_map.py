import json
import os
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from posemap_ros.camera import Camera
from posemap_ros.landmarks.landmark_map import InvalidLandmarks, LandmarkMap

CAMERA = Camera(320, 240, 205.0, 205.0, 160.0, 120.0)


def make_map():
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(3, 8))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    return LandmarkMap(
        points=rng.normal(size=(5, 3)).astype(np.float32),
        sigmas=rng.uniform(0.01, 0.1, 5).astype(np.float32),
        descriptors=rng.integers(0, 256, (5, 32), dtype=np.uint8),
        T_world_cam=np.tile(np.eye(4), (3, 1, 1)),
        looks=looks.astype(np.float16),
        photo_offsets=np.array([0, 2, 2, 5]),
        seen=np.array([0, 4, 1, 2, 4], np.int32),
        seen_points=rng.normal(size=(5, 3)).astype(np.float32),
        camera=CAMERA,
        detector='orb',
    )


def write(path, landmarks, about=None, **tensors):
    """The file of a map, with other tensors or metadata."""
    names = 'points sigmas descriptors T_world_cam looks photo_offsets seen seen_points'.split()
    whole = {name: getattr(landmarks, name) for name in names}
    whole = {k: v for k, v in {**whole, **tensors}.items() if v is not None}
    usual = {'format': 1, 'detector': 'orb', 'camera': CAMERA.to_dict()}
    text = about if isinstance(about, str) else json.dumps({**usual, **(about or {})})
    save_file(whole, path, {'landmarks': text})


def test_a_map_comes_back_as_it_was(tmp_path):
    landmarks, path = make_map(), tmp_path / 'landmarks.safetensors'
    landmarks.save(path)
    again = LandmarkMap.load(path)
    for name in ('points', 'sigmas', 'descriptors', 'T_world_cam', 'looks', 'seen', 'seen_points'):
        np.testing.assert_array_equal(getattr(again, name), getattr(landmarks, name))
        assert getattr(again, name).dtype == getattr(landmarks, name).dtype
    assert again.camera == CAMERA and again.detector == 'orb'
    assert [again.seen_by(p).tolist() for p in range(3)] == [[0, 4], [], [1, 2, 4]]


def test_photos_need_not_be_described(tmp_path):
    path = tmp_path / 'landmarks.safetensors'
    replace(make_map(), looks=np.empty((3, 0), np.float16)).save(path)
    assert LandmarkMap.load(path).looks.shape == (3, 0)


def test_photos_place_landmarks_together():
    landmarks = make_map()
    index, points = landmarks.seen_from(np.array([2, 0]))
    assert index.tolist() == [0, 1, 2, 4]
    at = landmarks.seen_points
    np.testing.assert_allclose(points, [at[0], at[2], at[3], (at[1] + at[4]) / 2], rtol=1e-6)


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


M = make_map()
FAULTS = {
    'photo places it nowhere': dict(seen_points=changed(M.seen_points, (4, 2), np.nan)),
    'NaN': dict(points=changed(M.points, (0, 0), np.nan)),
    'far away': dict(points=changed(M.points, (0, 0), 1e30)),
    'sigma of zero': dict(sigmas=changed(M.sigmas, 1, 0.0)),
    'no sigma': dict(sigmas=changed(M.sigmas, 1, np.inf)),
    'reflection': dict(T_world_cam=changed(M.T_world_cam, (0, 0, 0), -1.0)),
    'scaled pose': dict(T_world_cam=changed(M.T_world_cam, (0, 0, 0), 2.0)),
    'last row': dict(T_world_cam=changed(M.T_world_cam, (0, 3, 0), 1.0)),
    'NaN pose': dict(T_world_cam=changed(M.T_world_cam, (0, 0, 3), np.nan)),
    'looks too long': dict(looks=2 * M.looks),
    'looks NaN': dict(looks=changed(M.looks, (0, 0), np.nan)),
    'index too large': dict(seen=changed(M.seen, 0, 5)),
    'index negative': dict(seen=changed(M.seen, 0, -1)),
    'offsets go back': dict(photo_offsets=np.array([0, 3, 2, 5])),
    'offsets too short': dict(photo_offsets=np.array([0, 2, 2, 4])),
    'offsets begin late': dict(photo_offsets=np.array([1, 2, 2, 5])),
    'too few offsets': dict(photo_offsets=np.array([0, 2, 5])),
    'other counts': dict(sigmas=M.sigmas[:4]),
    'other type': dict(points=M.points.astype(np.float64)),
    'floats as indices': dict(seen=M.seen.astype(np.float32)),
    'other descriptors': dict(descriptors=M.descriptors[:, :31]),
    'flat': dict(points=M.points.ravel()),
    'no photo': dict(
        T_world_cam=M.T_world_cam[:0],
        looks=M.looks[:0],
        photo_offsets=np.array([0]),
        seen=M.seen[:0],
    ),
    'one tensor missing': dict(seen=None),
    'one tensor more': dict(more=M.seen),
    'no format': dict(about='{}'),
    'newer': dict(about={'format': 2}),
    'no JSON': dict(about='{'),
    'a list': dict(about='[1]'),
    'nested': dict(about='[' * 100_000),
    'unknown detector': dict(about={'detector': 'surf'}),
    'detector is a list': dict(about={'detector': ['orb']}),
    'camera is a list': dict(about={'camera': [1]}),
    'camera without focal length': dict(about={'camera': {'width': 3, 'height': 4}}),
    'camera is not a number': dict(about={'camera': {**CAMERA.to_dict(), 'fx': float('nan')}}),
    'huge camera': dict(about={'camera': CAMERA.resized(10**5, 10**5).to_dict()}),
    'distorted camera': dict(
        about={
            'camera': replace(
                CAMERA, distortion_model='plumb_bob', distortion=(0.1,) * 5
            ).to_dict()
        }
    ),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_a_damaged_file_is_refused(tmp_path, fault):
    path = tmp_path / 'landmarks.safetensors'
    write(path, M)
    LandmarkMap.load(path)
    write(path, M, **FAULTS[fault])
    with pytest.raises(InvalidLandmarks, match=r'landmarks\.safetensors.*map_landmarks'):
        LandmarkMap.load(path)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / 'landmarks.safetensors'
    M.save(path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(InvalidLandmarks):
            LandmarkMap.load(path)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / 'fifo')
    for name in ('missing', 'fifo', '.'):
        with pytest.raises(InvalidLandmarks, match='there is no file'):
            LandmarkMap.load(tmp_path / name)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / 'landmarks.safetensors'
    with path.open('wb') as file:
        file.truncate(2**40)  # takes no room on disk
    with pytest.raises(InvalidLandmarks, match='larger than'):
        LandmarkMap.load(path)


def test_two_maps_become_one(tmp_path):
    a, b = make_map(), make_map()
    both = a.joined(b)
    path = tmp_path / 'landmarks.safetensors'
    both.save(path)  # load checks that all of it fits together
    both = LandmarkMap.load(path)
    assert len(both) == 10 and len(both.T_world_cam) == 6
    for photo in range(3):
        np.testing.assert_array_equal(both.seen_by(photo), a.seen_by(photo))
        np.testing.assert_array_equal(both.seen_by(photo + 3), b.seen_by(photo) + 5)
    with pytest.raises(ValueError, match='different cameras'):
        a.joined(replace(b, camera=CAMERA.resized(160, 120)))


def test_a_part_of_the_photos_keeps_what_it_sees():
    landmarks = make_map()
    part = landmarks.of_photos(np.array([2, 1]))
    assert len(part) == 3 and part.seen_by(0).tolist() == [0, 1, 2] and not len(part.seen_by(1))
    np.testing.assert_array_equal(part.points, landmarks.points[[1, 2, 4]])
    np.testing.assert_array_equal(part.seen_points, landmarks.seen_points[2:])
    np.testing.assert_array_equal(part.looks, landmarks.looks[[2, 1]])


def test_covariances_of_photos_come_along(tmp_path):
    sure = make_map()
    C = np.diag([1e-4, 2e-4, 3e-4, 1e-5, 2e-5, 3e-5]).astype(np.float32)
    C[0, 4] = C[4, 0] = 2e-5
    unsure = replace(sure, pose_covariances=np.stack([C, 2 * C, 3 * C]))
    path = tmp_path / 'landmarks.safetensors'
    unsure.save(path)
    again = LandmarkMap.load(path)
    np.testing.assert_array_equal(again.pose_covariances, unsure.pose_covariances)
    assert sure.joined(sure).pose_covariances is None
    both = sure.joined(unsure)
    np.testing.assert_array_equal(both.pose_covariances[:3], np.zeros((3, 6, 6)))
    np.testing.assert_array_equal(both.of_photos(np.array([5])).pose_covariances, [3 * C])
    lopsided = C.copy()
    lopsided[0, 1] = 1e-4
    for broken in (-C, lopsided, np.nan * C):
        replace(sure, pose_covariances=np.stack([C, broken, C])).save(path)
        with pytest.raises(InvalidLandmarks, match='covariances of poses are none'):
            LandmarkMap.load(path)
