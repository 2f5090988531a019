"""Writes a bag of the demo as a robot of one's own would have recorded it: raw images, and poses
of base_link by SLAM.

The commands of the README can then be run as they stand there (`make readme`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

from .bag_writer import T, pose_stamped, qos, store
from .drives import camera_mount

EVERY = 2  # image: raw ones take ten times the room
COMPRESSED, RAW = '/camera/image_raw/compressed', '/camera/image_raw'
TRUTH, SLAM = '/ground_truth/pose', '/slam/pose'


def write_as_my_bag(bag: Path, out: Path) -> None:
    """Write it to the folder `out`, which must not be there."""
    T_base_link, T_link_optical = camera_mount()
    T_cam_base = np.linalg.inv(T_base_link @ T_link_optical)
    seen = 0
    with (
        AnyReader([bag]) as reader,
        Writer(out, version=9, storage_plugin=StoragePlugin.MCAP) as writer,
    ):
        connections = {}
        for connection, at, data in reader.messages():
            topic = {COMPRESSED: RAW, TRUTH: SLAM}.get(connection.topic, connection.topic)
            message = reader.deserialize(data, connection.msgtype)
            if topic == RAW:
                seen += 1
                if seen % EVERY:
                    continue
                message = raw(message)
            elif topic == SLAM:
                stamp = message.header.stamp
                pose = matrix(message.pose) @ T_cam_base
                message = pose_stamped(stamp.sec * 10**9 + stamp.nanosec, 'map', pose)
            if topic not in connections:
                connections[topic] = writer.add_connection(
                    topic, message.__msgtype__, typestore=store, offered_qos_profiles=qos(topic)
                )
            writer.write(connections[topic], at, store.serialize_cdr(message, message.__msgtype__))


def raw(message: Any) -> Any:
    """The Image of a CompressedImage."""
    pixels = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
    height, width, channels = pixels.shape
    return T['Image'](
        header=message.header,
        height=height,
        width=width,
        encoding='bgr8',
        is_bigendian=0,
        step=channels * width,
        data=pixels.ravel(),
    )


def matrix(pose: Any) -> np.ndarray:
    """[4, 4] of a pose message."""
    q, p = pose.orientation, pose.position
    x, y, z, w = q.x, q.y, q.z, q.w
    T_a_b = np.eye(4)
    T_a_b[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    T_a_b[:3, 3] = p.x, p.y, p.z
    return T_a_b
