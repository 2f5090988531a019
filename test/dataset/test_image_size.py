"""Images that are smaller than their camera by one factor are read with the camera scaled."""

import json
import logging

import cv2
import numpy as np
import pytest
from textured_room import CAMERA, drive, write_room

from posemap_ros.dataset import ImageError, open_dataset
from posemap_ros.dataset.image_size import is_scaled


def shrunk(root, size, count=4):
    """The room's images on disk at another size than their camera's; nothing else is changed."""
    write_room(root, drive(count))
    for path in (root / 'images').iterdir():
        small = cv2.resize(cv2.imread(str(path)), size, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(path), small)
    return root


# Of 240x180: a half; a third; and 1.75 times smaller, where a side has to be rounded.
@pytest.mark.parametrize('size', [(120, 90), (80, 60), (137, 103)])
def test_the_camera_is_scaled_with_its_images_and_that_is_said_once(tmp_path, caplog, size):
    root = shrunk(tmp_path / 'room', size)
    with caplog.at_level(logging.WARNING):
        dataset = open_dataset(root)
        again = open_dataset(root)
    assert dataset.camera == again.camera == CAMERA.resized(*size)
    assert dataset.load(3).shape == (size[1], size[0], 3)
    (said,) = (r.getMessage() for r in caplog.records if str(root) in r.getMessage())
    assert f'{size[0]}x{size[1]}' in said and '240x180' in said


def test_where_a_point_is_seen_does_not_change(tmp_path):
    dataset = open_dataset(shrunk(tmp_path / 'room', (120, 90)))
    points = np.array([[0.3, -0.2, 1.5], [-0.5, 0.4, 2.0]])
    np.testing.assert_allclose(2 * dataset.camera.project(points), CAMERA.project(points))


@pytest.mark.parametrize('size', [(120, 180), (120, 100), (238, 178), (480, 360)])
def test_cropped_stretched_and_larger_images_are_refused(tmp_path, size):
    dataset = open_dataset(shrunk(tmp_path / 'room', size))
    assert dataset.camera == CAMERA
    with pytest.raises(ImageError, match='its camera is 240x180'):
        dataset.load(0)


def test_each_camera_has_its_own_images(tmp_path):
    """One camera's images were made smaller, the other's were not."""
    root = shrunk(tmp_path / 'room', (120, 90))
    content = json.loads((root / 'transforms.json').read_text())
    other = {'w': 120, 'h': 90, 'fl_x': 100.0, 'fl_y': 100.0, 'cx': 60.0, 'cy': 45.0}
    content['frames'][1].update(other)
    (root / 'transforms.json').write_text(json.dumps(content))
    dataset = open_dataset(root)
    assert dataset.camera_of(0) == CAMERA.resized(120, 90)
    assert dataset.camera_of(1).fx == 100.0
    assert dataset.load(0).shape == dataset.load(1).shape == (90, 120, 3)


def test_shapes_are_the_same_to_whole_pixels():
    assert is_scaled((649, 420), (1297, 840))  # nerfstudio's images_2
    assert is_scaled((1297, 840), (649, 420))
    assert not is_scaled((649, 424), (1297, 840))
