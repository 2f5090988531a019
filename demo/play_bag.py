"""Plays a rosbag2 folder into ROS 2 at the rate it was recorded, as if it happened now.

    tools/with_ros python -m demo.play_bag demo/bags/later

Like `ros2 bag play`, which ROS's PyPI wheels lack, except that every stamp is moved to the
present by one and the same shift: no simulated clock is needed, and stamps still agree. At the end
it prints how many images it has published.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rosbags.highlevel import AnyReader

from demo.covered_and_carried import Entry, covered_and_carried
from demo.stamps import move_stamps

LATCHED = ('/tf_static',)
IMAGES = '/camera/image_raw/compressed'


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('bag', type=Path, help='folder of the bag')
    parser.add_argument(
        '--covered-and-carried',
        action='store_true',
        help='cover the camera for a while, and carry the robot off (demo/covered_and_carried.py)',
    )
    options = parser.parse_args(arguments)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = Node('bag_player')
        with AnyReader([options.bag]) as reader:
            publishers = {c.topic: publisher(node, c.topic, c.msgtype) for c in reader.connections}
            recording = entries(reader, publishers)
            if options.covered_and_carried:
                recording = covered_and_carried(recording)
            # All of it, so that nothing is left to do while it plays: the machine may be busy.
            ready = list(recording)
        wait_for_listeners(publishers.values())
        play(ready, publishers)
        print(sum(topic == IMAGES for _, topic, _ in ready), 'images')
        time.sleep(0.5)  # until the last ones have left
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        rclpy.try_shutdown()


def publisher(node: Node, topic: str, kind: str) -> Publisher:
    # Deep, so that a listener that is slow for a while on a busy machine still gets everything.
    qos = QoSProfile(depth=500)
    if topic in LATCHED:
        qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    package, _, name = kind.split('/')
    return node.create_publisher(
        getattr(importlib.import_module(f'{package}.msg'), name), topic, qos
    )


def wait_for_listeners(publishers: Iterable[Publisher], timeout: float = 8.0) -> None:
    """Until somebody wants each topic, as long as may be, and a second more: a listener that the
    publisher knows may not know the publisher yet.
    """
    give_up = time.monotonic() + timeout
    while time.monotonic() < give_up:
        if all(publisher.get_subscription_count() for publisher in publishers):
            break
        time.sleep(0.05)
    time.sleep(1.0)


def entries(reader: AnyReader, publishers: dict[str, Publisher]) -> Iterator[Entry]:
    """When it was recorded (ns), topic and message, in order."""
    for connection, recorded, data in reader.messages():
        kind = publishers[connection.topic].msg_type
        yield recorded, connection.topic, deserialize_message(bytes(data), kind)


def play(recording: list[Entry], publishers: dict[str, Publisher]) -> None:
    shift = time.time_ns() - recording[0][0]
    for recorded, topic, message in recording:
        move_stamps(message, shift)
        wait = (recorded + shift - time.time_ns()) * 1e-9
        if wait > 0:
            time.sleep(wait)
        publishers[topic].publish(message)


if __name__ == '__main__':
    main()
