from types import SimpleNamespace

import pytest

from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.messages.camera_info import camera_of


def info(**changes):
    """A CameraInfo of a 640x480 camera, as a driver sends it."""
    region = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    for name in ('x_offset', 'y_offset'):
        setattr(region, name, changes.pop(name, 0))
    region.width, region.height = changes.pop('region', (0, 0))
    values = {
        'width': 640,
        'height': 480,
        'distortion_model': 'plumb_bob',
        'd': [0.1, -0.2, 0.001, 0.002, 0.0],
        'k': [500.0, 0, 319.5, 0, 502.0, 239.5, 0, 0, 1],
        'p': [450.0, 0, 330.5, 0, 0, 452.0, 229.5, 0, 0, 0, 1, 0],
        'binning_x': 0,
        'binning_y': 0,
        'roi': region,
    }
    return SimpleNamespace(**(values | changes))


def test_raw_images_have_K_and_distortion():
    expected = Camera(640, 480, 500, 502, 320, 240, 'plumb_bob', (0.1, -0.2, 0.001, 0.002, 0))
    assert camera_of(info()) == expected


def test_rectified_images_have_P_and_no_distortion():
    assert camera_of(info(), rectified=True) == Camera(640, 480, 450, 452, 331, 230)


def test_a_region_moves_the_centre():
    camera = camera_of(info(x_offset=100, y_offset=40, region=(320, 240), d=[]))
    assert camera == Camera(320, 240, 500, 502, 220, 200)


def test_binned_pixels_are_larger():
    assert camera_of(info(binning_x=2, binning_y=4, d=[])) == Camera(320, 120, 250, 125.5, 160, 60)


def test_a_region_outside_the_image_is_refused():
    with pytest.raises(InvalidCamera, match='region'):
        camera_of(info(x_offset=400, region=(320, 240)))


def test_an_uncalibrated_camera_is_refused():
    with pytest.raises(InvalidCamera, match='not calibrated'):
        camera_of(info(k=[0.0] * 9))


@pytest.mark.parametrize(
    'changes',
    [
        {'binning_x': 2**32 - 1},
        {'binning_y': 481},
        {'x_offset': 2**32 - 1, 'region': (2**32 - 1, 2**32 - 1)},
        {'width': 0},
    ],
)
def test_extreme_binning_and_regions_are_refused(changes):
    with pytest.raises(InvalidCamera, match='binning|region|width'):
        camera_of(info(**changes))


def test_P_is_looked_at_like_K():
    with pytest.raises(InvalidCamera, match='fx = 0.8.*K and P must be in pixels'):
        camera_of(info(p=[0.8, 0, 0.5, 0, 0, 0.8, 0.5, 0, 0, 0, 1, 0]), rectified=True)
