"""Small real bags, written with the rosbags library, and the motion that is in them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import yaml
from rosbags import rosbag1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
START_NS = 1_700_000_000_123_456_789  # today's stamps do not fit a float64
WIDTH, HEIGHT = 64, 48


def build(kind, **fields):
    """A message, such as build('geometry_msgs/msg/Point', x=1.0, y=2.0, z=3.0)."""
    return STORE.types[kind](**fields)


def rotation(axis, degrees):
    axis = np.array(axis, float) / np.linalg.norm(axis)
    return cv2.Rodrigues(np.radians(degrees) * axis)[0]


def pose(R, t):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t
    return T


def true_pose(seconds):
    """A body that drives along and turns while nodding."""
    R = rotation((0, 0, 1), 25 * seconds) @ rotation((0, 1, 0), 5 * np.sin(3 * seconds))
    return pose(R, (0.8 * seconds, 0.3 * np.sin(2 * seconds), 0.4 + 0.02 * np.cos(seconds)))


def ns(seconds):
    return START_NS + round(seconds * 1e9)


def header(stamp_ns, frame_id):
    stamp = build('builtin_interfaces/msg/Time', sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return build('std_msgs/msg/Header', stamp=stamp, frame_id=frame_id)


def quaternion(R, kind='geometry_msgs/msg/Quaternion'):
    vector = cv2.Rodrigues(R)[0].ravel()
    angle = np.linalg.norm(vector)
    x, y, z = np.sin(angle / 2) * (vector / angle if angle else vector)
    return build(kind, x=x, y=y, z=z, w=np.cos(angle / 2))


def pose_message(T):
    x, y, z = (float(v) for v in T[:3, 3])
    position = build('geometry_msgs/msg/Point', x=x, y=y, z=z)
    return build('geometry_msgs/msg/Pose', position=position, orientation=quaternion(T[:3, :3]))


def pose_stamped(stamp_ns, T, frame='map'):
    return build(
        'geometry_msgs/msg/PoseStamped', header=header(stamp_ns, frame), pose=pose_message(T)
    )


def pose_with_covariance(stamp_ns, T, frame='map'):
    inner = build(
        'geometry_msgs/msg/PoseWithCovariance', pose=pose_message(T), covariance=np.zeros(36)
    )
    kind = 'geometry_msgs/msg/PoseWithCovarianceStamped'
    return build(kind, header=header(stamp_ns, frame), pose=inner)


def path_of(stamp_ns, poses, frame='map'):
    """A Path of (stamp, T) entries."""
    stamped = [pose_stamped(*entry, frame) for entry in poses]
    return build('nav_msgs/msg/Path', header=header(stamp_ns, frame), poses=stamped)


def odometry(stamp_ns, T, frame='odom', child='base_link'):
    zero = build('geometry_msgs/msg/Vector3', x=0.0, y=0.0, z=0.0)
    twist = build('geometry_msgs/msg/Twist', linear=zero, angular=zero)
    return build(
        'nav_msgs/msg/Odometry',
        header=header(stamp_ns, frame),
        child_frame_id=child,
        pose=pose_with_covariance(stamp_ns, T).pose,
        twist=build('geometry_msgs/msg/TwistWithCovariance', twist=twist, covariance=np.zeros(36)),
    )


def transforms(stamp_ns, *entries):
    """A TFMessage of (parent, child, T) entries."""
    messages = []
    for parent, child, T in entries:
        x, y, z = (float(v) for v in T[:3, 3])
        translation = build('geometry_msgs/msg/Vector3', x=x, y=y, z=z)
        transform = build(
            'geometry_msgs/msg/Transform',
            translation=translation,
            rotation=quaternion(T[:3, :3]),
        )
        messages.append(
            build(
                'geometry_msgs/msg/TransformStamped',
                header=header(stamp_ns, parent),
                child_frame_id=child,
                transform=transform,
            )
        )
    return build('tf2_msgs/msg/TFMessage', transforms=messages)


def picture(index, width=WIDTH, height=HEIGHT):
    """Red ramps to the right, green downwards, blue tells the index."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, width)
    image[..., 1] = np.linspace(0, 255, height)[:, None]
    image[..., 2] = 5 * index
    return image


def jpeg(image):
    return cv2.imencode('.jpg', image[..., ::-1])[1].tobytes()


def compressed_image(stamp_ns, content, frame='camera_optical', format='jpeg'):
    data = np.frombuffer(content, np.uint8)
    kind = 'sensor_msgs/msg/CompressedImage'
    return build(kind, header=header(stamp_ns, frame), format=format, data=data)


def raw_image(stamp_ns, pixels, encoding='rgb8', frame='camera_optical'):
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
    return build(
        'sensor_msgs/msg/Image',
        header=header(stamp_ns, frame),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=rows.shape[1],
        data=rows.ravel(),
    )


def camera_info(stamp_ns, focal=50.0, width=WIDTH, height=HEIGHT, model='plumb_bob', d=()):
    K = np.array([focal, 0, (width - 1) / 2, 0, focal, (height - 1) / 2, 0, 0, 1])
    zero = build(
        'sensor_msgs/msg/RegionOfInterest',
        x_offset=0,
        y_offset=0,
        height=0,
        width=0,
        do_rectify=False,
    )
    return build(
        'sensor_msgs/msg/CameraInfo',
        header=header(stamp_ns, 'camera_optical'),
        height=height,
        width=width,
        distortion_model=model,
        d=np.array(d, float),
        k=K,
        r=np.eye(3).ravel(),
        p=np.insert(K, [3, 6, 9], 0.0),
        binning_x=0,
        binning_y=0,
        roi=zero,
    )


def write_bag(path: Path, messages, storage='mcap', zstd=None) -> Path:
    """Write (topic, message, recorded at [ns]) entries; zstd: each 'file' or each 'message'."""
    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if zstd:
        writer.set_compression(CompressionMode[zstd.upper()], CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, message, recorded_ns in sorted(messages, key=lambda entry: entry[2]):
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], recorded_ns, STORE.serialize_cdr(message, kind))
    return path


def write_parts(path: Path, parts: Sequence[list], storage='mcap', zstd=None) -> Path:
    """A bag that was split into one file for each list of messages, as rosbag2 lays it out."""
    path.mkdir()
    whole, counts = None, {}
    for index, messages in enumerate(parts):
        single = write_bag(path.parent / f'{path.name}_{index}', messages, storage, zstd)
        part = yaml.safe_load((single / 'metadata.yaml').read_text())
        part = part['rosbag2_bagfile_information']
        for topic in part['topics_with_message_count']:
            name = topic['topic_metadata']['name']
            counts[name] = counts.get(name, 0) + topic['message_count']
        if whole is None:
            whole = part
        else:
            whole['relative_file_paths'] += part['relative_file_paths']
            whole['files'] += part['files']
            whole['message_count'] += part['message_count']
            start, begin = (b['starting_time']['nanoseconds_since_epoch'] for b in (whole, part))
            whole['duration']['nanoseconds'] = begin + part['duration']['nanoseconds'] - start
            known = {t['topic_metadata']['name'] for t in whole['topics_with_message_count']}
            whole['topics_with_message_count'] += [
                topic
                for topic in part['topics_with_message_count']
                if topic['topic_metadata']['name'] not in known
            ]
        for name in part['relative_file_paths']:
            (single / name).rename(path / name)
        shutil.rmtree(single)
    for topic in whole['topics_with_message_count']:
        topic['message_count'] = counts[topic['topic_metadata']['name']]
    (path / 'metadata.yaml').write_text(yaml.safe_dump({'rosbag2_bagfile_information': whole}))
    return path


def write_ros1_bag(path: Path, messages, compression='none') -> Path:
    """Like `write_bag`, but a ROS 1 .bag, with the types' ROS 1 definitions."""
    store = get_typestore(Stores.ROS1_NOETIC)
    for tf in ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage'):  # not in the library's list
        store.register(get_types_from_msg('geometry_msgs/TransformStamped[] transforms', tf))
    writer = rosbag1.Writer(path)
    if compression != 'none':
        writer.set_compression(rosbag1.Writer.CompressionFormat[compression.upper()])
    with writer:
        connections = {}
        for topic, message, recorded_ns in sorted(messages, key=lambda entry: entry[2]):
            kind = message.__msgtype__
            if topic not in connections:
                old = 'tf/msg/tfMessage' if topic == '/tf' else kind
                connections[topic] = writer.add_connection(topic, old, typestore=store)
            data = STORE.cdr_to_ros1(STORE.serialize_cdr(message, kind), kind)
            writer.write(connections[topic], recorded_ns, data)
    return path


def drive(n=10, rate=10.0, with_poses=True):
    """The plainest recording: JPEG, camera_info and the optical frame's pose, all in step."""
    messages = []
    for i in range(n):
        stamp = ns(i / rate)
        messages += [
            ('/camera/image_raw/compressed', compressed_image(stamp, jpeg(picture(i))), stamp),
            ('/camera/camera_info', camera_info(stamp), stamp),
        ]
        if with_poses:
            messages.append(('/pose', pose_stamped(stamp, true_pose(i / rate)), stamp))
    return messages
