"""Input that cannot be used: one clear sentence, and the node goes on."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import running_nodes
from rclpy.duration import Duration
from robot import Robot
from tiny_environment import CAMERA

GREY = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
RGB = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
MINUTE = Duration(seconds=60)


@pytest.fixture(scope='module')
def node(tmp_path_factory, environment):
    """One node for all, because each of these must leave it able to go on."""
    with running_nodes(tmp_path_factory.mktemp('node'), environment) as start:
        yield start(tf_mode='map_to_camera', max_image_age=20.0)


@pytest.fixture(scope='module')
def camera():
    """A camera on its own."""
    with Robot(CAMERA, mounted=False) as robot:
        yield robot


def test_without_camera_info_the_node_waits_for_it(node, camera, views):
    # First in this file: the node keeps what it has once got.
    def camera_info_is_missed() -> bool:
        camera.image(views[0], camera.now())
        return 'no camera_info has arrived' in node.log

    camera.wait_for(camera_info_is_missed, 'a warning')
    assert not camera.poses_with_covariance


@pytest.mark.parametrize(
    ('send', 'sentence'),
    [
        (lambda r: r.image(GREY.astype(np.uint16), r.now(), '16UC1'), '16UC1, which is a depth'),
        (lambda r: r.image(RGB, r.now(), 'rgb7'), "encoding 'rgb7'"),
        (lambda r: r.image(RGB, None), 'stamp is zero'),
        (lambda r: r.image(RGB, r.now() - MINUTE), 'more than max_image_age'),
        (lambda r: r.image(RGB, r.now() + MINUTE), 'in the future'),
        (lambda r: r.image(RGB, r.now(), frame_id=''), 'no frame_id'),
        (lambda r: r.image(RGB[::2, ::2].copy(), r.now()), 'but camera_info describes'),
    ],
)
def test_bad_images(node, camera, views, send, sentence):
    camera.camera_info()

    def refused() -> bool:
        send(camera)
        return sentence in node.log

    camera.wait_for(refused, f'{sentence!r} in the log')
    poses = len(camera.poses)
    camera.drive_until(lambda: len(camera.poses) > poses, 'a pose after it', lambda: views[0])


def test_a_camera_that_sees_too_little_is_refused(node, camera, views):
    narrow = replace(CAMERA, fx=5 * CAMERA.fx, fy=5 * CAMERA.fy)

    def refused() -> bool:
        camera.camera_info(narrow)
        camera.image(views[0], camera.now())
        return '% of the view that is needed' in node.log

    camera.wait_for(refused, 'a refusal')
    poses = len(camera.poses)
    camera.drive_until(lambda: len(camera.poses) > poses, 'a pose after it', lambda: views[0])


def test_a_camera_of_another_size_is_adapted(node, camera, localizer, views):
    large = CAMERA.resized(2 * CAMERA.width, 2 * CAMERA.height)
    image = views[0].repeat(2, axis=0).repeat(2, axis=1)
    poses = len(camera.poses)

    def localized() -> bool:
        camera.camera_info(large)
        camera.image(image, camera.now())
        return len(camera.poses) > poses + 3

    camera.wait_for(localized, 'poses')
    position = camera.poses[-1].pose.position
    expected = localizer.localize(image, large).T_map_cam[:3, 3]
    np.testing.assert_allclose([position.x, position.y, position.z], expected, atol=1e-3)


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('fix_timeout', -1.0, 'fix_timeout'),  # out of range
        ('fix_timeout', 'soon', 'type'),
        ('tf_mode', 'map_to_base', 'read-only'),
        ('device', 'cpu', 'read-only'),
    ],
)
def test_bad_parameters_are_refused_with_a_reason(node, camera, name, value, reason):
    assert reason in camera.set_parameter(name, value)


def test_good_parameters_take_effect_at_once(node, camera, views):
    assert camera.set_parameter('max_sigma_translation', 0.001) == ''
    camera.drive_until(
        lambda: camera.poses_with_covariance[-1].pose.covariance[0] == 9999.0,
        'a rejected fix',
        lambda: views[0],
    )
    assert camera.set_parameter('max_sigma_translation', 1000.0) == ''
    poses = len(camera.poses)
    camera.drive_until(lambda: len(camera.poses) > poses, 'a pose after it', lambda: views[0])


def test_diagnostics_tell_what_is_wrong(node, camera):
    camera.camera_info()

    def told() -> bool:
        camera.image(GREY.astype(np.uint16), camera.now(), '16UC1')
        status = camera.diagnostics.get('input')
        return status is not None and '16UC1' in status.message

    camera.wait_for(told, 'diagnostics of the input')
    assert {'input', 'localization', 'refine'} <= set(camera.diagnostics)
    values = {v.key: v.value for v in camera.diagnostics['localization'].values}
    assert all(float(values[f'{stage} [ms]']) > 0 for stage in ('decode', 'prepare', 'network'))
    assert values['revision'] == '0'
