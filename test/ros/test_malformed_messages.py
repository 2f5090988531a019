"""Thousands of messages that no sound driver sends, after which poses flow as before."""

import math
import random

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from robot import CAMERA_FRAME
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from soak import amount
from tf2_msgs.msg import TFMessage
from tiny_environment import CAMERA

# Half of them look right but for one field.
ODD_NUMBERS = (0.0, -1.0, 1e-300, 1e7, 1e308, -math.inf, math.inf, math.nan)
ODD_SIZES = (0, 1, 2, 3, 65_536, 2**31 - 1, 2**31, 2**32 - 1)
ODD_TEXTS = ('', ' ', '\t', '\x1b[2J', '/', 'map', 'x' * 10_000, 'rgb8', '8UC1', '32FC1', 'mono16')
T_ODOM_BASE = np.eye(4)


class Storm:
    """Publishes malformed messages of one kind after the other on all topics of the node."""

    def __init__(self, node: Node, view: np.ndarray, seed: int) -> None:
        self._node, self._view, self._random = node, view, random.Random(seed)
        self._png = cv2.imencode('.png', view)[1].tobytes()
        self._jpeg = cv2.imencode('.jpg', view)[1].tobytes()
        unreliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._kinds = [
            (node.create_publisher(kind, topic, qos), make, may_be_raw)
            for kind, topic, qos, make, may_be_raw in (
                (Image, 'image', unreliable, self._image, True),
                (CompressedImage, 'image/compressed', unreliable, self._compressed, True),
                (CameraInfo, 'camera_info', unreliable, self._camera_info, True),
                (PoseWithCovarianceStamped, 'initialpose', 10, self._initialpose, True),
                # Others listen here, too, the test's robot among them: only what can be read.
                (TFMessage, '/tf', 10, self._transforms, False),
                (TFMessage, '/tf_static', latched, self._transforms, False),
            )
        ]

    def close(self) -> None:
        for publisher, _, _ in self._kinds:
            self._node.destroy_publisher(publisher)

    def blow(self, count: int) -> None:
        """Publish `count` messages of every kind."""
        for _ in range(count):
            for publisher, make, may_be_raw in self._kinds:
                message = make()
                if may_be_raw and self._random.random() < 0.2:
                    message = self._damaged(serialize_message(message))
                publisher.publish(message)

    def _damaged(self, raw: bytes) -> bytes:
        """A message on the wire, cut short or with flipped bits."""
        data = bytearray(raw)
        for _ in range(self._random.choice((1, 3, 10))):
            place = self._random.randrange(4, min(len(data), self._random.choice((60, 10_000))))
            data[place] ^= 1 << self._random.randrange(8)
        end = self._random.choice((len(data), self._random.randrange(4, len(data))))
        return bytes(data[:end])

    def _odd(self, usual, odd):
        return usual if self._random.random() < 0.7 else self._random.choice(odd)

    def _header(self, header) -> None:
        stamp = self._node.get_clock().now().to_msg()
        header.stamp.sec = self._odd(stamp.sec, (-1, 0, 1, -(2**31), 2**31 - 1))
        header.stamp.nanosec = self._odd(stamp.nanosec, (0, 2**32 - 1))
        header.frame_id = self._odd(CAMERA_FRAME, ODD_TEXTS)

    def _image(self) -> Image:
        height, width, _ = self._view.shape
        message = Image(
            encoding=self._odd('rgb8', ODD_TEXTS),
            height=self._odd(height, ODD_SIZES),
            width=self._odd(width, ODD_SIZES),
            step=self._odd(3 * width, ODD_SIZES),
            is_bigendian=self._odd(0, (1, 255)),
        )
        self._header(message.header)
        message.data = self._view.tobytes()[: self._odd(None, (0, 1, 1000))]
        return message

    def _compressed(self) -> CompressedImage:
        message = CompressedImage(format=self._odd('rgb8; png compressed bgr8', ODD_TEXTS))
        self._header(message.header)
        data = bytearray(self._random.choice((self._png, self._jpeg)))
        for _ in range(self._random.choice((0, 1, 10))):
            data[self._random.randrange(100)] = self._random.randrange(256)
        message.data = bytes(data)
        return message

    def _camera_info(self) -> CameraInfo:
        K = CAMERA.matrix_opencv().ravel()
        message = CameraInfo(
            width=self._odd(CAMERA.width, ODD_SIZES),
            height=self._odd(CAMERA.height, ODD_SIZES),
            distortion_model=self._odd('plumb_bob', (*ODD_TEXTS, 'equidistant')),
            k=[self._odd(float(k), ODD_NUMBERS) for k in K],
            p=[self._odd(float(p), ODD_NUMBERS) for p in np.eye(3, 4).ravel()],
            d=[self._odd(0.0, ODD_NUMBERS) for _ in range(self._odd(5, (0, 4, 8, 14, 1000)))],
            binning_x=self._odd(0, ODD_SIZES),
            binning_y=self._odd(0, ODD_SIZES),
        )
        for name in ('x_offset', 'y_offset', 'width', 'height'):
            setattr(message.roi, name, self._odd(0, ODD_SIZES))
        self._header(message.header)
        return message

    def _initialpose(self) -> PoseWithCovarianceStamped:
        message = PoseWithCovarianceStamped()
        self._header(message.header)
        message.pose.pose.position.x = self._odd(0.0, ODD_NUMBERS)
        message.pose.covariance = [self._odd(0.0, ODD_NUMBERS)] * 36
        return message

    def _transforms(self) -> TFMessage:
        parents = ('odom', 'base_link', CAMERA_FRAME, 'mast', '', '/', 'x' * 10_000)
        message = TFMessage()
        for _ in range(self._odd(1, (0, 2, 20))):
            transform = TransformStamped()
            self._header(transform.header)
            transform.header.frame_id = self._random.choice(parents)
            transform.child_frame_id = self._random.choice((*parents, 'map'))
            for field in (transform.transform.translation, transform.transform.rotation):
                for name in field.get_fields_and_field_types():
                    setattr(field, name, self._odd(0.5, ODD_NUMBERS))
            message.transforms.append(transform)
        return message


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_poses_flow_after_malformed_messages(start_node, robot, next_view, transport):
    """They come beside a camera that does its work; the clean-up afterwards is the robot's."""
    node = start_node(tf_mode='map_to_camera', image_transport=transport)
    storm = Storm(robot.node, next_view(), seed=1)

    def drive() -> None:
        robot.camera_info()
        (robot.compressed if transport == 'compressed' else robot.image)(next_view(), robot.now())

    def poses_flow() -> bool:
        drive()
        return len(robot.poses) > before + 2

    gusts = amount(5, 200)
    for _ in range(gusts):
        storm.blow(50)
        before = len(robot.poses)
        robot.wait_for(poses_flow, f'poses; the log of the node:\n{node.log}')
    storm.close()
    assert all(np.isfinite(_numbers(pose.pose)).all() for pose in robot.poses)
    assert not [line for line in node.log.splitlines() if '\x1b' in line]
    assert node.stop() == 0
    assert 'Traceback' not in node.log


def test_odometry_and_mount_come_back_after_garbage_on_tf(start_node, robot, next_view):
    node = start_node(transform_wait=0.1)
    storm = Storm(robot.node, next_view(), seed=2)
    storm.blow(amount(50, 2000))
    storm.close()
    robot.mount()
    before = len(robot.poses)
    robot.drive_until(lambda: len(robot.poses) > before + 2, 'poses', next_view, T_ODOM_BASE)
    assert all(np.isfinite(_numbers(pose.pose)).all() for pose in robot.poses)
    for transform in robot.transforms:
        position = transform.transform.translation
        assert np.isfinite([position.x, position.y, position.z]).all()
    assert node.stop() == 0


def _numbers(pose) -> list[float]:
    p, q = pose.position, pose.orientation
    return [p.x, p.y, p.z, q.x, q.y, q.z, q.w]
