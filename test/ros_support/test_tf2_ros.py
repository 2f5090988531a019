"""
Behaviour of tf2_ros that the node relies on.

Runs against whichever tf2_ros is installed: the real one beside a ROS installation, the stand-in
elsewhere. What passes here on both is what makes the stand-in trustworthy.
"""

from __future__ import annotations

import math

import pytest
from geometry_msgs.msg import TransformStamped
from rclpy.duration import Duration
from rclpy.time import Time
from tf2_ros import (
    Buffer,
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)

HALF = math.sqrt(0.5)
TURN_LEFT = (0.0, 0.0, HALF, HALF)  # +90 degrees about z, as x, y, z, w


def stamped(parent, child, seconds=0.0, xyz=(0.0, 0.0, 0.0), xyzw=(0.0, 0.0, 0.0, 1.0)):
    message = TransformStamped()
    message.header.frame_id = parent
    message.header.stamp = Time(seconds=seconds).to_msg()
    message.child_frame_id = child
    t, q = message.transform.translation, message.transform.rotation
    t.x, t.y, t.z = xyz
    q.x, q.y, q.z, q.w = xyzw
    return message


def at(seconds):
    return Time(seconds=seconds)


def xyz(message):
    t = message.transform.translation
    return pytest.approx((t.x, t.y, t.z), abs=1e-12)


def xyzw(message):
    q = message.transform.rotation
    return pytest.approx((q.x, q.y, q.z, q.w), abs=1e-12)


@pytest.fixture
def buffer():
    return Buffer()


@pytest.fixture
def robot(buffer):
    """
    map -> odom is 1 m forward at 1 s and 3 m at 3 s; odom -> base turns left; base -> camera is
    static.
    """
    for seconds in (1.0, 3.0):
        buffer.set_transform(stamped('map', 'odom', seconds, xyz=(seconds, 0.0, 0.0)), 'test')
        buffer.set_transform(
            stamped('odom', 'base', seconds, xyz=(0.0, 5.0, 0.0), xyzw=TURN_LEFT), 'test'
        )
    buffer.set_transform_static(stamped('base', 'camera', xyz=(0.5, 0.0, 0.25)), 'test')
    return buffer


def test_a_chain_is_composed_from_the_root_down(robot):
    # The camera is 0.5 m ahead of a base that looks left, so it lies 0.5 m further along the map's
    # y.
    found = robot.lookup_transform('map', 'camera', at(1.0))
    assert (1.0, 5.5, 0.25) == xyz(found)
    assert TURN_LEFT == xyzw(found)
    assert (found.header.frame_id, found.child_frame_id) == ('map', 'camera')
    assert Time.from_msg(found.header.stamp).nanoseconds == 1_000_000_000


def test_the_opposite_lookup_is_the_inverse(robot):
    # Seen from the camera, the map's origin is 5.5 m behind it (-x), 1 m to its left (+y), and
    # 0.25 m below it.
    found = robot.lookup_transform('camera', 'map', at(1.0))
    assert (-5.5, 1.0, -0.25) == xyz(found)
    assert (0.0, 0.0, -HALF, HALF) == xyzw(found)


def test_siblings_meet_at_their_common_parent(buffer):
    buffer.set_transform_static(
        stamped('base', 'left', xyz=(0.0, 1.0, 0.0), xyzw=TURN_LEFT), 'test'
    )
    buffer.set_transform_static(stamped('base', 'right', xyz=(2.0, -1.0, 0.0)), 'test')
    # right - left = (2, -2) in base; left's x axis is base's y and its y axis is base's -x.
    assert (-2.0, -2.0, 0.0) == xyz(buffer.lookup_transform('left', 'right', at(7.0)))


def test_a_frame_to_itself_is_the_identity(robot):
    found = robot.lookup_transform('base', 'base', at(2.0))
    assert (0.0, 0.0, 0.0) == xyz(found)
    assert (0.0, 0.0, 0.0, 1.0) == xyzw(found)


def test_translations_are_interpolated(robot):
    assert (1.5, 0.0, 0.0) == xyz(robot.lookup_transform('map', 'odom', at(1.5)))


def test_rotations_are_interpolated_at_constant_speed(buffer):
    buffer.set_transform(stamped('map', 'base', 1.0), 'test')
    buffer.set_transform(stamped('map', 'base', 2.0, xyzw=TURN_LEFT), 'test')
    # A quarter of 90 degrees is 22.5 degrees; linear blending of quaternions would give 21.6.
    half_angle = math.radians(22.5) / 2
    assert (0.0, 0.0, math.sin(half_angle), math.cos(half_angle)) == xyzw(
        buffer.lookup_transform('map', 'base', at(1.25))
    )


def test_rotations_take_the_shorter_way(buffer):
    buffer.set_transform(stamped('map', 'base', 1.0), 'test')
    buffer.set_transform(stamped('map', 'base', 2.0, xyzw=(0.0, 0.0, -HALF, -HALF)), 'test')
    found = buffer.lookup_transform('map', 'base', at(1.5)).transform.rotation
    assert abs(2 * math.atan2(found.z, found.w)) % (2 * math.pi) == pytest.approx(math.radians(45))


def test_time_zero_is_the_latest_time_that_the_whole_chain_knows(robot):
    robot.set_transform(stamped('odom', 'base', 5.0, xyz=(0.0, 9.0, 0.0)), 'test')
    found = robot.lookup_transform('map', 'camera', Time())
    assert Time.from_msg(found.header.stamp).nanoseconds == 3_000_000_000
    assert (3.0, 5.5, 0.25) == xyz(found)


def test_a_static_transform_holds_at_any_time(robot):
    for seconds in (0.0, 1.0, 1e6):
        assert (0.5, 0.0, 0.25) == xyz(robot.lookup_transform('base', 'camera', at(seconds)))


def test_nothing_is_extrapolated(robot):
    with pytest.raises(ExtrapolationException, match='into the future'):
        robot.lookup_transform('map', 'camera', at(3.001))
    with pytest.raises(ExtrapolationException, match='into the past'):
        robot.lookup_transform('map', 'camera', at(0.999))
    assert not robot.can_transform('map', 'camera', at(3.001))
    assert robot.can_transform('map', 'camera', at(3.0))


def test_a_single_sample_answers_only_at_its_own_stamp(buffer):
    buffer.set_transform(stamped('map', 'odom', 1.0), 'test')
    assert buffer.can_transform('map', 'odom', at(1.0))
    with pytest.raises(ExtrapolationException, match='only time'):
        buffer.lookup_transform('map', 'odom', at(1.1))


def test_a_chain_below_the_extrapolated_part_still_works(robot):
    robot.set_transform_static(stamped('base', 'lidar', xyz=(0.0, 1.0, 0.0)), 'test')
    assert (0.5, -1.0, 0.25) == xyz(robot.lookup_transform('lidar', 'camera', at(9.0)))


def test_unknown_frames_are_named(robot):
    with pytest.raises(LookupException, match='"kitchen"'):
        robot.lookup_transform('map', 'kitchen', Time())
    assert not robot.can_transform('kitchen', 'map', Time())


@pytest.mark.parametrize('name', ['', '/map'])
def test_impossible_frame_names_are_refused(robot, name):
    with pytest.raises(InvalidArgumentException):
        robot.lookup_transform(name, 'base', Time())


def test_two_trees_have_no_connection(robot):
    robot.set_transform(stamped('other_map', 'other_base', 1.0), 'test')
    with pytest.raises(ConnectivityException, match="'map' and 'other_base'"):
        robot.lookup_transform('map', 'other_base', at(1.0))


def test_a_second_parent_tears_the_tree(buffer):
    """Why a localizer sends map -> odom and never map -> camera."""
    buffer.set_transform(stamped('odom', 'base', 1.0), 'test')
    buffer.set_transform_static(stamped('base', 'camera'), 'test')
    assert buffer.can_transform('odom', 'camera', at(1.0))
    buffer.set_transform(stamped('map', 'camera', 1.0), 'test')
    with pytest.raises(ConnectivityException, match="'odom' and 'camera'"):
        buffer.lookup_transform('odom', 'camera', at(1.0))


def test_every_failure_is_a_transform_exception():
    for kind in (
        ConnectivityException,
        ExtrapolationException,
        InvalidArgumentException,
        LookupException,
    ):
        assert issubclass(kind, TransformException)


def test_the_cache_holds_ten_seconds(buffer):
    for seconds in (1.0, 5.0, 12.0, 12.5):
        buffer.set_transform(stamped('map', 'odom', seconds), 'test')
    with pytest.raises(ExtrapolationException, match='into the past'):
        buffer.lookup_transform('map', 'odom', at(3.0))
    assert buffer.can_transform('map', 'odom', at(5.0))


def test_a_longer_cache_may_be_asked_for():
    buffer = Buffer(cache_time=Duration(seconds=60))
    for seconds in (1.0, 59.0):
        buffer.set_transform(stamped('map', 'odom', seconds), 'test')
    assert buffer.can_transform('map', 'odom', at(2.0))


def test_samples_may_arrive_out_of_order(buffer):
    for seconds in (1.0, 3.0, 2.0):
        buffer.set_transform(stamped('map', 'odom', seconds, xyz=(seconds**2, 0.0, 0.0)), 'test')
    assert (6.5, 0.0, 0.0) == xyz(buffer.lookup_transform('map', 'odom', at(2.5)))


@pytest.mark.parametrize(
    'invalid',
    [
        stamped('map', 'odom', 2.0, xyz=(math.nan, 0.0, 0.0)),
        stamped('map', 'odom', 2.0, xyzw=(0.0, 0.0, 0.0, 0.0)),
        stamped('odom', 'odom', 2.0),
        stamped('', 'odom', 2.0),
    ],
)
def test_invalid_transforms_are_dropped_silently(buffer, invalid):
    buffer.set_transform(stamped('map', 'odom', 1.0), 'test')
    buffer.set_transform(invalid, 'test')
    found = buffer.lookup_transform('map', 'odom', Time())
    assert Time.from_msg(found.header.stamp).nanoseconds == 1_000_000_000


def test_quaternions_of_any_other_length_are_normalized(buffer):
    buffer.set_transform(stamped('map', 'odom', 1.0, xyzw=(0.0, 0.0, 3.0, 3.0)), 'test')
    assert TURN_LEFT == xyzw(buffer.lookup_transform('map', 'odom', at(1.0)))


def test_a_leading_slash_of_old_publishers_is_stripped(buffer):
    buffer.set_transform(stamped('/map', '/odom', 1.0), 'test')
    assert buffer.can_transform('map', 'odom', at(1.0))


def test_clear_forgets_motion_and_keeps_what_is_static(robot):
    robot.clear()
    assert not robot.can_transform('map', 'odom', Time())
    assert (0.5, 0.0, 0.25) == xyz(robot.lookup_transform('base', 'camera', Time()))
