"""What an image shows, before anything is made of it."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from tiny_environment import CAMERA

from posemap_ros.localizer import Localizer
from posemap_ros.node import messages
from posemap_ros.node.meters import Stopwatches
from posemap_ros.node.sighting import NothingToSee, Observer

PARAMETERS = SimpleNamespace(
    camera_frame='', check_image=True, assume_training_camera=False, image_rectified=False
)


@pytest.fixture
def narrow(environment):
    """An observer with a camera that sees less to the sides than the one that mapped: the network
    gets its images with black borders.
    """
    observer = Observer(
        Localizer(environment, 'cpu'), PARAMETERS, Stopwatches('decode', 'prepare', 'network')
    )
    camera = replace(CAMERA, fx=1.25 * CAMERA.fx)
    K = camera.matrix_opencv()
    info = CameraInfo(width=camera.width, height=camera.height, k=K.ravel().tolist())
    observer.take_camera_info(info)
    return observer


def message(pixels: np.ndarray):
    return messages.rgb_image(pixels, Header(stamp=Time(seconds=1).to_msg(), frame_id='camera'))


@pytest.mark.parametrize('grey', [10, 60, 120])
def test_borders_do_not_make_a_covered_lens_an_image(narrow, grey):
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 3.0, (CAMERA.height, CAMERA.width, 3))
    with pytest.raises(NothingToSee, match='covered'):
        narrow.look_at(message((grey + noise).clip(0, 255).astype(np.uint8)))


def test_an_image_is_looked_at(narrow):
    tiles = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    sharp = tiles.repeat(4, axis=0).repeat(4, axis=1)
    assert narrow.look_at(message(sharp)).estimate.T_map_cam.shape == (4, 4)
