"""Plays a rosbag2 folder into ROS 2 at the rate it was recorded, as if it happened now.

    tools/with_ros python -m demo.play_bag demo/bags/later

Like `ros2 bag play`, which ROS's PyPI wheels lack, except that every stamp is moved to the
present by one and the same shift: no simulated clock is needed, and stamps still agree.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader

LATCHED = ('/tf_static',)
IMAGES = '/camera/image_raw/compressed'


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('bag', type=Path, help='folder of the bag')
    bag = parser.parse_args(arguments).bag
    rclpy.init()
    try:
        node = Node('bag_player')
        with AnyReader([bag]) as reader:
            publishers = {c.topic: publisher(node, c.topic, c.msgtype) for c in reader.connections}
            wait_for_listeners(publishers[IMAGES])
            play(messages(reader), publishers)
    except (KeyboardInterrupt, ExternalShutdownException):
        sys.exit(130)
    finally:
        rclpy.try_shutdown()


def publisher(node: Node, topic: str, kind: str) -> Publisher:
    qos = QoSProfile(depth=10)
    if topic in LATCHED:
        qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    package, _, name = kind.split('/')
    return node.create_publisher(
        getattr(importlib.import_module(f'{package}.msg'), name), topic, qos)


def wait_for_listeners(images: Publisher, timeout: float = 10.0) -> None:
    """Until somebody wants the images, and a second more for the other topics to be found."""
    give_up = time.monotonic() + timeout
    while not images.get_subscription_count() and time.monotonic() < give_up:
        time.sleep(0.05)
    time.sleep(1.0)


def messages(reader: AnyReader) -> Iterator[tuple[int, str, bytes]]:
    """When it was recorded (ns), topic and serialized message, in order."""
    for connection, recorded, data in reader.messages():
        yield recorded, connection.topic, bytes(data)


def play(recording: Iterator[tuple[int, str, bytes]], publishers: dict[str, Publisher]) -> None:
    shift = None
    for recorded, topic, data in recording:
        message = deserialize_message(data, publishers[topic].msg_type)
        if shift is None:
            shift = time.time_ns() - recorded
        move_stamps(message, shift)
        wait = (recorded + shift - time.time_ns()) * 1e-9
        if wait > 0:
            time.sleep(wait)
        publishers[topic].publish(message)


def move_stamps(message, shift: int) -> None:
    """Add `shift` nanoseconds to the stamps of a message with a header, or of a TFMessage."""
    for stamped in getattr(message, 'transforms', [message]):
        stamp = stamped.header.stamp
        stamp.sec, stamp.nanosec = divmod(stamp.sec * 10 ** 9 + stamp.nanosec + shift, 10 ** 9)


if __name__ == '__main__':
    main()
