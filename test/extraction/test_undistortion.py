import numpy as np
import pytest

from posemap_ros.camera import Camera, CameraMismatch, ImageAdapter
from posemap_ros.extraction.undistortion import pinhole_inside

BARREL = Camera(640, 480, 400, 400, 320, 240, 'plumb_bob', (-0.2, 0.03, 0, 0, 0))
PINCUSHION = Camera(640, 480, 400, 410, 330, 235, 'plumb_bob', (0.15, 0, 0.001, 0, 0))
FISHEYE = Camera(640, 480, 250, 250, 320, 240, 'equidistant', (0.01, 0.0, 0.0, 0.0))


@pytest.mark.parametrize('camera', [BARREL, PINCUSHION, FISHEYE])
def test_the_pinhole_sees_only_what_the_camera_sees(camera):
    pinhole = pinhole_inside(camera)
    assert pinhole.distortion_model == 'none'
    assert (pinhole.width, pinhole.height) == (640, 480)
    assert pinhole.fx / pinhole.fy == pytest.approx(camera.fx / camera.fy)
    white = np.full((480, 640, 3), 255, np.uint8)
    assert (ImageAdapter(camera, pinhole)(white) == 255).all()


def test_the_focal_length_changes_only_where_it_must_and_no_more():
    assert pinhole_inside(BARREL).fx == BARREL.fx
    assert pinhole_inside(FISHEYE).fx == FISHEYE.fx
    zoom = pinhole_inside(PINCUSHION).fx / PINCUSHION.fx
    # The corner of the image, at radius r, is where the lens puts the direction with
    # r = d (1 + 0.15 d^2): so about d/r of the pinhole's corner is still inside.
    r = np.hypot(330 / 400, 245 / 410)
    d = np.roots([0.15, 0, 1, -r])
    d = d[np.isreal(d)].real[0]
    assert 1 < zoom <= r / d * 1.02


def test_a_lens_that_folds_back_is_refused():
    folded = Camera(640, 480, 300, 300, 320, 240, 'plumb_bob', (-5.0, 0, 0, 0, 0))
    with pytest.raises(CameraMismatch, match='without black corners'):
        pinhole_inside(folded)
