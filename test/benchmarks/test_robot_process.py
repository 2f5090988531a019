"""The benchmark's robot: its figures, and the stamps it writes into serialized images."""

import numpy as np
import pytest

pytest.importorskip('rclpy')

from rclpy.serialization import deserialize_message  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from benchmarks.robot_process import _STAMP, FRAME, Pass, serialized  # noqa: E402


def test_a_stamp_written_into_a_serialized_image_is_its_stamp() -> None:
    photo = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    data = serialized(photo)
    _STAMP.pack_into(data, 4, 1_760_000_000, 123_456_789)
    message = deserialize_message(bytes(data), Image)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1_760_000_000, 123_456_789)
    assert message.header.frame_id == FRAME and message.encoding == 'rgb8'
    assert (np.asarray(message.data).reshape(4, 6, 3) == photo).all()


def test_figures_of_a_pass() -> None:
    ms = 1_000_000
    sent = {stamp: 100 * ms + stamp for stamp in (0, 10 * ms, 20 * ms, 30 * ms)}
    heard = {0: 120 * ms, 10 * ms: 140 * ms, 30 * ms: 180 * ms, 7: 1000 * ms}
    figures = Pass(sent, heard, {'network': [4.0, 6.0]}).answer()
    assert (figures['images'], figures['poses']) == (4, 3), 'a pose of before does not count'
    assert figures['median_ms'] == pytest.approx(30.0)
    assert figures['longest_gap_s'] == pytest.approx(0.04)
    assert figures['poses_hz'] == pytest.approx(2 / 0.06)
    assert figures['first_pose_s'] == pytest.approx(0.02)
    assert figures['stages'] == {'network': 5.0}


def test_figures_of_a_pass_without_poses() -> None:
    assert Pass({1: 2}, {}).answer() == {'images': 1, 'poses': 0, 'stages': {}}
