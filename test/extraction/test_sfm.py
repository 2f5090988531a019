from pathlib import Path

import numpy as np
import pytest
import torch

from posemap_ros.camera import Camera
from posemap_ros.dataset.colmap import camera_from_colmap
from posemap_ros.dataset.image_io import write_image
from posemap_ros.evaluation import retrieval
from posemap_ros.extraction.sfm import SfmError, _colmap_camera, _pairs, structure_from_motion

pycolmap = pytest.importorskip('pycolmap')

LENSES = [
    ('none', ()),
    ('plumb_bob', (-0.2, 0.05, 0.001, -0.002, 0.01)),
    ('plumb_bob', (-0.2, 0.05, 0.001, -0.002)),
    ('rational_polynomial', (0.3, 0.1, 0.001, -0.002, 0.02, 0.35, 0.12, 0.03)),
    ('equidistant', (0.02, -0.01, 0.003, -0.001)),
]


@pytest.mark.parametrize(('model', 'distortion'), LENSES)
def test_colmap_projects_as_our_camera_does(model, distortion):
    camera = Camera(640, 480, 400.0, 410.0, 322.0, 238.0, model, distortion)
    name, params = _colmap_camera(camera)
    theirs = pycolmap.Camera(
        model=name, width=640, height=480, params=[float(p) for p in params.split(',')]
    )
    points = np.random.default_rng(0).uniform((-0.5, -0.4, 1), (0.5, 0.4, 1.2), (50, 3))
    np.testing.assert_allclose(theirs.img_from_cam(points), camera.project(points), atol=1e-6)
    ours = camera_from_colmap(theirs, Path('model'))
    np.testing.assert_allclose(ours.project(points), camera.project(points), atol=1e-9)


def test_a_camera_that_colmap_lacks_is_refused():
    prism = (0.3, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0)
    camera = Camera(640, 480, 400.0, 410.0, 322.0, 238.0, 'rational_polynomial', prism)
    with pytest.raises(SfmError, match='thin-prism.*undistort'):
        _colmap_camera(camera)


def test_images_that_do_not_connect_are_refused_in_words(tmp_path):
    paths = [tmp_path / f'{i}.png' for i in range(4)]
    for path in paths:
        write_image(path, np.full((48, 64, 3), 128, np.uint8))
    with pytest.raises(SfmError, match='could not connect the 4 images'):
        structure_from_motion(paths, Camera(64, 48, 50.0, 50.0, 32.0, 24.0), threads=1)


def test_a_slow_drive_that_comes_back_is_matched_with_its_first_round(monkeypatch):
    """As a video at 30 Hz: what was seen ten frames ago looks more alike than the same place on
    the round before, in other light.
    """
    angle, light = 2 * np.pi * np.arange(400) / 200, 0.5 * (np.arange(400) >= 200)
    looks = torch.tensor(np.stack([np.cos(angle), np.sin(angle), light], axis=1))
    looks = torch.nn.functional.normalize(looks, dim=1)
    assert looks[210] @ looks[200] > looks[210] @ looks[10]
    monkeypatch.setattr(retrieval, '_describe', lambda *_: iter([looks]))
    pairs = _pairs([Path(f'/d/{i}.png') for i in range(400)], Camera(64, 48, 50, 50, 32, 24))
    assert {(i, i + 200) for i in range(200)} <= set(pairs)
    assert {(i, i + step) for step in (1, 2, 8, 32) for i in range(368)} <= set(pairs)
