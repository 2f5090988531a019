"""What the frame buffer keeps."""

import numpy as np
import pytest

from posemap_ros.node.frame_buffer import FrameBuffer


def image(value: int) -> np.ndarray:
    return np.full((2, 3, 3), value, np.uint8)


def at(x: float, degrees: float = 0.0) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, x], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def kept(buffer: FrameBuffer) -> list[int]:
    return buffer.images()[:, 0, 0, 0].tolist()


def test_keeps_frames_in_order_as_uint8():
    buffer = FrameBuffer(5, horizon=100)
    for i in range(3):
        buffer.add(float(i), image(i))
    images = buffer.images()
    assert images.dtype == np.uint8
    assert images.shape == (3, 2, 3, 3)
    assert kept(buffer) == [0, 1, 2]


def test_is_bounded_and_even_in_time():
    buffer = FrameBuffer(10, horizon=1e9)
    for i in range(200):
        buffer.add(float(i), image(i))
        assert len(buffer) <= 10
    stamps = kept(buffer)
    assert stamps[0] == 0
    assert stamps[-1] == 199
    assert max(np.diff(stamps)) <= 80


def test_standing_still_does_not_push_the_way_out():
    buffer = FrameBuffer(20, horizon=1e9)
    for i in range(10):  # ten metres in ten seconds
        buffer.add(float(i), image(i), at(float(i)))
    for i in range(10, 110):  # then a hundred seconds at the door
        buffer.add(float(i), image(i), at(9.0))
    assert set(range(9)) <= set(kept(buffer))


def test_turning_counts_as_motion():
    buffer = FrameBuffer(10, horizon=1e9)
    buffer.add(0.0, image(0), at(0))
    assert buffer.wants(0.1, at(0, 10))
    assert not buffer.wants(0.1, at(0, 0.1))


def test_wants_moving_and_waiting_robots_frames():
    buffer = FrameBuffer(10, horizon=1e9)
    assert buffer.wants(0.0)
    buffer.add(0.0, image(0), at(0))
    assert buffer.wants(0.1, at(0.1))
    assert not buffer.wants(0.1, at(0))
    assert buffer.wants(5.0, at(0))
    assert not buffer.wants(0.1)  # without odometry, time alone counts
    assert buffer.wants(5.0)


def test_forgets_what_is_too_old():
    buffer = FrameBuffer(10, horizon=5)
    for i in range(10):
        buffer.add(float(i), image(i))
    assert kept(buffer) == [4, 5, 6, 7, 8, 9]


def test_clear():
    buffer = FrameBuffer(10, horizon=5)
    buffer.add(0.0, image(0))
    buffer.clear()
    assert len(buffer) == 0
    assert buffer.images().shape[0] == 0


def test_needs_room():
    with pytest.raises(ValueError, match='3 frames'):
        FrameBuffer(2, horizon=5)
