"""Poses as messages."""

import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, Vector3
from std_msgs.msg import Header

from posemap_ros.messages.image_message import to_rgb
from posemap_ros.node import messages

# A quarter turn about z, then moved: in ROS's order the quaternion is (0, 0, sqrt(1/2),
# sqrt(1/2)).
QUARTER = np.array([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1.0]])


def test_quaternion_is_in_ross_order():
    pose = messages.pose(QUARTER)
    q = pose.orientation
    np.testing.assert_allclose(
        [q.x, q.y, q.z, q.w], [0, 0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-12
    )
    assert (pose.position.x, pose.position.y, pose.position.z) == (1, 2, 3)


def test_transform_goes_there_and_back():
    message = messages.transform_stamped(QUARTER, 'map', 'odom', Time(sec=5))
    assert (message.header.frame_id, message.child_frame_id, message.header.stamp.sec) == (
        'map',
        'odom',
        5,
    )
    np.testing.assert_allclose(messages.matrix(message.transform), QUARTER, atol=1e-12)


@pytest.mark.parametrize(
    ('translation', 'rotation', 'word'),
    [
        ((math.nan, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), 'translation'),
        ((0.0, -math.inf, 0.0), (0.0, 0.0, 0.0, 1.0), 'translation'),
        ((0.0, 0.0, 1e308), (0.0, 0.0, 0.0, 1.0), 'translation.*1e[+]308'),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), 'quaternion'),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.1), 'quaternion.*1.1.*length one'),
        ((0.0, 0.0, 0.0), (0.0, math.nan, 0.0, 1.0), 'quaternion'),
        ((0.0, 0.0, 0.0), (1e308, 1e308, 0.0, 0.0), 'quaternion'),
    ],
)
def test_what_is_no_transform_is_refused(translation, rotation, word):
    x, y, z = translation
    message = Transform(translation=Vector3(x=x, y=y, z=z))
    for name, value in zip('xyzw', rotation):
        setattr(message.rotation, name, value)
    with pytest.raises(messages.InvalidTransform, match=word):
        messages.matrix(message)


def test_a_quaternion_that_is_nearly_of_length_one_gives_a_rotation():
    R = messages.matrix(Transform(rotation=Quaternion(z=0.6, w=0.802)))[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)


def test_stamps_of_any_kind_are_numbers():
    assert messages.nanoseconds(Time(sec=5, nanosec=7)) == 5_000_000_007
    assert messages.nanoseconds(Time(sec=-1, nanosec=1)) == -999_999_999
    assert messages.nanoseconds(Time(sec=-(2**31), nanosec=2**32 - 1)) < 0


def test_nearly_a_rotation_gives_a_unit_quaternion():
    T = QUARTER.copy()
    T[:3, :3] *= 1.0002
    q = messages.pose(T).orientation
    assert np.isclose(q.x**2 + q.y**2 + q.z**2 + q.w**2, 1, atol=1e-9)


def test_covariance_is_row_major_symmetric_and_never_zero():
    covariance = np.zeros((6, 6))
    covariance[0, 5] = covariance[5, 0] = 0.5
    covariance[5, 5] = 2.0
    message = messages.pose_with_covariance(QUARTER, covariance, 'map', Time())
    assert message.pose.covariance[5] == message.pose.covariance[30] == 0.5
    assert message.pose.covariance[35] == 2.0
    assert min(message.pose.covariance[i * 7] for i in range(6)) > 0
    assert covariance[0, 0] == 0  # the caller's array is left alone


def test_what_tf_would_drop_is_no_pose():
    assert messages.is_pose(QUARTER)
    nan, mirrored, zero = QUARTER.copy(), QUARTER.copy(), QUARTER.copy()
    nan[0, 3] = np.nan
    mirrored[:3, 0] *= -1
    zero[:3, :3] = 0
    assert not messages.is_pose(nan)
    assert not messages.is_pose(mirrored)
    assert not messages.is_pose(zero)


def test_image_comes_back():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    message = messages.rgb_image(pixels[:, ::-1], Header(frame_id='camera'))  # not contiguous
    assert message.header.frame_id == 'camera'
    np.testing.assert_array_equal(to_rgb(message), pixels[:, ::-1])
