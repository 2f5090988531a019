"""What the frame buffer keeps."""

import numpy as np
import pytest

from posemap_ros.camera import Camera
from posemap_ros.dataset.image_io import decode_image
from posemap_ros.node.frame_buffer import FrameBuffer, KeptFrame

CAMERA = Camera(32, 24, 30.0, 30.0, 16.0, 12.0)
IMAGE = np.full((24, 32, 3), 100, np.uint8)


def at(x: float, degrees: float = 0.0) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, x], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def kept(buffer: FrameBuffer) -> list[int]:
    """Stamps."""
    return [round(frame.stamp) for frame in buffer.frames()]


def test_keeps_images_in_order_as_their_camera_took_them():
    buffer = FrameBuffer(5, horizon=100)
    for i in range(3):
        buffer.add(KeptFrame.of(float(i), IMAGE + np.uint8(40 * i), CAMERA))
    assert kept(buffer) == [0, 1, 2]
    for i, frame in enumerate(buffer.frames()):
        assert frame.camera == CAMERA
        image = decode_image(frame.jpeg, 'kept', (32, 24))
        np.testing.assert_allclose(image, IMAGE + np.uint8(40 * i), atol=2)


def test_images_take_little_memory():
    """A few percent of what the pixels take; wider ones than say more about a pose are reduced."""
    camera = Camera(2560, 1440, 2000.0, 2000.0, 1280.0, 720.0)
    wave = 127 + 100 * np.sin(np.arange(2560) / 60)
    image = np.broadcast_to(wave[None, :, None], (1440, 2560, 3)).astype(np.uint8)
    buffer = FrameBuffer(5, horizon=100)
    buffer.add(KeptFrame.of(0.0, image, camera))
    (frame,) = buffer.frames()
    assert (frame.camera.width, frame.camera.height, frame.camera.fx) == (1280, 720, 1000.0)
    assert decode_image(frame.jpeg, 'kept').shape == (720, 1280, 3)
    assert len(frame.jpeg) < image.nbytes / 50


def test_is_bounded_and_even_in_time():
    buffer = FrameBuffer(10, horizon=1e9)
    for i in range(200):
        buffer.add(KeptFrame.of(float(i), IMAGE, CAMERA))
        assert len(buffer) <= 10
    stamps = kept(buffer)
    assert stamps[0] == 0
    assert stamps[-1] == 199
    assert max(np.diff(stamps)) <= 80


def test_standing_still_does_not_push_the_way_out():
    buffer = FrameBuffer(20, horizon=1e9)
    for i in range(10):  # ten metres in ten seconds
        buffer.add(KeptFrame.of(float(i), IMAGE, CAMERA, at(float(i))))
    for i in range(10, 110):  # then a hundred seconds at the door
        buffer.add(KeptFrame.of(float(i), IMAGE, CAMERA, at(9.0)))
    assert set(range(9)) <= set(kept(buffer))


def test_turning_counts_as_motion():
    buffer = FrameBuffer(10, horizon=1e9)
    buffer.add(KeptFrame.of(0.0, IMAGE, CAMERA, at(0)))
    assert buffer.wants(0.1, at(0, 10))
    assert not buffer.wants(0.1, at(0, 0.1))


def test_wants_moving_and_waiting_robots_frames():
    buffer = FrameBuffer(10, horizon=1e9)
    assert buffer.wants(0.0)
    buffer.add(KeptFrame.of(0.0, IMAGE, CAMERA, at(0)))
    assert buffer.wants(0.1, at(0.1))
    assert not buffer.wants(0.1, at(0))
    assert buffer.wants(5.0, at(0))
    assert not buffer.wants(0.1)  # without odometry, time alone counts
    assert buffer.wants(5.0)


def test_forgets_what_is_too_old():
    buffer = FrameBuffer(10, horizon=5)
    for i in range(10):
        buffer.add(KeptFrame.of(float(i), IMAGE, CAMERA))
    assert kept(buffer) == [4, 5, 6, 7, 8, 9]


def test_clear():
    buffer = FrameBuffer(10, horizon=5)
    buffer.add(KeptFrame.of(0.0, IMAGE, CAMERA))
    buffer.clear()
    assert len(buffer) == 0
    assert buffer.frames() == []


def test_needs_room():
    with pytest.raises(ValueError, match='3 frames'):
        FrameBuffer(2, horizon=5)
