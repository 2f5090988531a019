from pathlib import Path

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.dataset.colmap import camera_from_colmap
from posemap_ros.dataset.image_io import write_image
from posemap_ros.extraction.sfm import SfmError, _colmap_camera, structure_from_motion

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
