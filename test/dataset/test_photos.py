"""Folders of images without poses: for what needs none, and what is said where they are needed."""

from pathlib import Path

import numpy as np
import pytest
from recordings import drive, write_bag
from textured_room import CAMERA

from posemap_ros.camera import Camera
from posemap_ros.dataset import DatasetError, open_dataset, open_images, photos
from posemap_ros.dataset.calibration import read_calibration, write_calibration
from posemap_ros.dataset.image_io import write_image


def photo(path: Path, width: int = 240, height: int = 180) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.zeros((height, width, 3), np.uint8))


@pytest.fixture
def folder(tmp_path):
    for name in ('b.jpg', 'a.png', 'deep/c.jpeg', '.hidden.jpg'):
        photo(tmp_path / 'my photos' / name)
    return tmp_path / 'my photos'


def test_they_come_in_order_without_poses(folder):
    images = open_images(folder)
    assert images.names == ['a', 'b', 'deep/c'] and not images.is_posed
    assert images.load(2).shape == (180, 240, 3)
    with pytest.raises(DatasetError, match="sfm_poses --images '.*my photos' --out"):
        images.poses  # noqa: B018


def test_where_poses_are_needed_the_way_out_is_named(folder, tmp_path):
    with pytest.raises(DatasetError, match="sfm_poses --images '.*my photos' --out"):
        open_dataset(folder)
    bag = write_bag(tmp_path / 'my drive', drive(n=2))
    for path in (bag, next(bag.glob('*.mcap'))):
        with pytest.raises(DatasetError, match="this is a bag.*extract_bag '.*my drive.*' --list"):
            open_dataset(path)
        with pytest.raises(DatasetError, match='this is a bag'):
            open_images(path)


def test_a_folder_of_7_scenes_without_a_single_pose_is_photos(tmp_path):
    photo(tmp_path / 'seq-01' / 'frame-000000.color.png', 640, 480)
    assert len(open_images(tmp_path)) == 1
    with pytest.raises(DatasetError, match='sfm_poses'):
        open_dataset(tmp_path)


def test_a_camera_that_is_known_is_scaled_to_the_photos(folder):
    photo(folder / 'd.jpg', 120, 90)
    images = open_images(folder, camera=CAMERA)
    assert images.camera_of(0) == CAMERA
    assert images.camera_of(images.names.index('d')) == CAMERA.resized(120, 90)
    photo(folder / 'e.jpg', 180, 240)
    with pytest.raises(DatasetError, match='e.jpg: .*180x240.*shape.*camera.yaml'):
        open_images(folder, camera=CAMERA)


def test_camera_yaml_goes_before(folder):
    own = Camera(240, 180, 200.0, 201.0, 119.0, 91.0, 'plumb_bob', (0.1, -0.2, 0.01, 0.02, 0.0))
    write_calibration(folder / 'camera.yaml', own)
    assert photos.knows_camera(folder)
    found = open_images(folder, camera=CAMERA).camera
    assert found.distortion == own.distortion and found.fx == own.fx
    np.testing.assert_allclose((found.cx, found.cy), (own.cx, own.cy))


@pytest.mark.parametrize(
    'camera',
    [
        CAMERA,
        Camera(640, 480, 400, 400, 320, 240, 'equidistant', (0.1, 0.0, 0.0, 0.0)),
        Camera(
            *(640, 480, 400, 400, 320, 240),
            'rational_polynomial',
            (0.1, 0.02, 0.0, 0.0, 0.01, 0.05, 0.01, 0.002),
        ),
    ],
)
def test_calibrations_survive_the_disk(tmp_path, camera):
    write_calibration(tmp_path / 'camera.yaml', camera)
    assert read_calibration(tmp_path / 'camera.yaml') == camera


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(DatasetError, match='there are no images'):
        open_images(tmp_path)
    with pytest.raises(DatasetError, match='is not there'):
        open_images(tmp_path / 'nowhere')
