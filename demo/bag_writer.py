"""Writes a drive as a rosbag2 folder (mcap): what the robot would have recorded, and the truth.

| topic | type | |
|---|---|---|
| /camera/image_raw/compressed | CompressedImage | JPEG, in camera_optical |
| /camera/camera_info | CameraInfo | with each image |
| /tf | TFMessage | odom -> base_link from drifting wheel odometry |
| /tf_static | TFMessage | base_link -> camera_link -> camera_optical |
| /ground_truth/pose | PoseStamped | camera_optical in map, exact, with each image |
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from .drives import (
    STEP_S,
    Drive,
    camera_mount,
    camera_poses,
    frame_steps,
    odometry,
    planar,
    true_motion,
)

ODOMETRY_STEPS = 3  # of STEP_S: 33 Hz
IMAGE_DELAY_NS = 15_000_000  # from exposure to the recorder; odometry takes a fifth of it

store = get_typestore(Stores.ROS2_JAZZY)
T = {name.rsplit('/', 1)[-1]: kind for name, kind in store.types.items()}


def time_of(stamp_ns: int):
    return T['Time'](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


def header(stamp_ns: int, frame_id: str):
    return T['Header'](stamp=time_of(stamp_ns), frame_id=frame_id)


def quaternion(R: np.ndarray):
    """A message's quaternion (x, y, z, w) from a rotation matrix, by its largest component."""
    q = np.array(
        [
            1 + R[0, 0] - R[1, 1] - R[2, 2],
            1 - R[0, 0] + R[1, 1] - R[2, 2],
            1 - R[0, 0] - R[1, 1] + R[2, 2],
            1 + np.trace(R),
        ]
    )
    rows = np.array(
        [
            [q[0], R[0, 1] + R[1, 0], R[0, 2] + R[2, 0], R[2, 1] - R[1, 2]],
            [R[0, 1] + R[1, 0], q[1], R[1, 2] + R[2, 1], R[0, 2] - R[2, 0]],
            [R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], q[2], R[1, 0] - R[0, 1]],
            [R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], q[3]],
        ]
    )
    x, y, z, w = rows[q.argmax()] / np.linalg.norm(rows[q.argmax()])
    return T['Quaternion'](x=x, y=y, z=z, w=w)


def transform(stamp_ns: int, parent: str, child: str, pose: np.ndarray):
    x, y, z = pose[:3, 3]
    return T['TransformStamped'](
        header=header(stamp_ns, parent),
        child_frame_id=child,
        transform=T['Transform'](
            translation=T['Vector3'](x=x, y=y, z=z), rotation=quaternion(pose[:3, :3])
        ),
    )


def pose_stamped(stamp_ns: int, frame: str, pose: np.ndarray):
    x, y, z = pose[:3, 3]
    return T['PoseStamped'](
        header=header(stamp_ns, frame),
        pose=T['Pose'](position=T['Point'](x=x, y=y, z=z), orientation=quaternion(pose[:3, :3])),
    )


def camera_info(stamp_ns: int, width: int, height: int, focal_px: float):
    """A pinhole without distortion; ROS counts pixel centres at whole numbers."""
    cx, cy = (width - 1) / 2, (height - 1) / 2
    K = np.array([focal_px, 0, cx, 0, focal_px, cy, 0, 0, 1.0])
    return T['CameraInfo'](
        header=header(stamp_ns, 'camera_optical'),
        height=height,
        width=width,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=K,
        r=np.eye(3).ravel(),
        p=np.insert(K, [3, 6, 9], 0.0),
        binning_x=0,
        binning_y=0,
        roi=T['RegionOfInterest'](x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
    )


def write_bag(
    folder: Path,
    drive: Drive,
    jpeg: Callable[[int], bytes],
    width: int,
    height: int,
    focal_px: float,
) -> None:
    """Write the drive to `folder`, replacing what is there; `jpeg(i)` is the i-th image."""
    part = folder.parent / '.part' / folder.name  # the name is also that of the file within
    shutil.rmtree(part.parent, ignore_errors=True)
    part.parent.mkdir(parents=True)
    messages = []  # (time of recording, topic, message)
    T_base_link, T_link_optical = camera_mount()
    static = [
        transform(drive.start_ns, 'base_link', 'camera_link', T_base_link),
        transform(drive.start_ns, 'camera_link', 'camera_optical', T_link_optical),
    ]
    messages.append((drive.start_ns, '/tf_static', T['TFMessage'](transforms=static)))
    motion = true_motion(drive)
    step_ns = round(STEP_S * 1e9)
    odometer = odometry(motion, drive.seed)
    for step in range(0, len(motion), ODOMETRY_STEPS):
        stamp = drive.start_ns + step * step_ns
        message = T['TFMessage'](
            transforms=[transform(stamp, 'odom', 'base_link', planar(*odometer[step]))]
        )
        messages.append((stamp + IMAGE_DELAY_NS // 5, '/tf', message))
    for index, (step, pose) in enumerate(zip(frame_steps(drive), camera_poses(drive))):
        stamp = drive.start_ns + int(step) * step_ns
        image = T['CompressedImage'](
            header=header(stamp, 'camera_optical'),
            format='jpeg',
            data=np.frombuffer(jpeg(index), np.uint8),
        )
        at = stamp + IMAGE_DELAY_NS
        messages += [
            (at, '/camera/image_raw/compressed', image),
            (at, '/camera/camera_info', camera_info(stamp, width, height, focal_px)),
            (at, '/ground_truth/pose', pose_stamped(stamp, 'map', pose)),
        ]
    with Writer(part, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {}
        for at, topic, message in sorted(messages, key=lambda entry: entry[0]):
            if topic not in connections:
                connections[topic] = writer.add_connection(
                    topic, message.__msgtype__, typestore=store, offered_qos_profiles=qos(topic)
                )
            writer.write(connections[topic], at, store.serialize_cdr(message, message.__msgtype__))
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
    part.parent.rmdir()


def qos(topic: str) -> list[Qos]:
    """Static transforms are latched, so that late listeners get them."""
    latched = topic == '/tf_static'
    forever = QosTime(sec=0, nsec=0)
    return [
        Qos(
            QosHistory.KEEP_LAST,
            1 if latched else 10,
            QosReliability.RELIABLE,
            QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
            forever,
            forever,
            QosLiveliness.AUTOMATIC,
            forever,
            False,
        )
    ]
