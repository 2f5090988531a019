"""A robot in a process of its own, for bench_node: camera, odometry, and who listens to the poses.

Reads orders from standard input, one JSON object a line, and answers each with one on standard
output:

    {"rate": 12.0, "seconds": 5.0}                  publish images, tell what came back
    {"rate": 12.0, "seconds": 120.0, "refine": true}  the same until ~/refine has answered

Images are serialized once and only their stamps are written anew, so that the robot costs little
beside the node; what it does cost is in its answers.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from posemap_ros.camera import Camera
from posemap_ros.node import messages

WIDTH, HEIGHT = 640, 480
FRAME = 'camera_optical'
ODOMETRY_HZ = 50.0
# From exposure to publication. Odometry is newer than that, so no image has to wait for it.
AGE_NS = 25_000_000
SPEED, RADIUS_M = 0.5, 1.0  # of its drive in circles, m/s
T_BASE_CAM = np.array([[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0.75], [0, 0, 0, 1.0]])
LAST_POSES_S = 1.0
_STAMP = struct.Struct('<iI')  # of a serialized header, which comes after four bytes of CDR


@dataclass
class Pass:
    """What was sent and heard in one order; times in ns."""

    sent: dict[int, int] = field(default_factory=dict)  # stamp of an image: when it was published
    heard: dict[int, int] = field(default_factory=dict)  # stamp of a pose: when it arrived
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def answer(self) -> dict:
        """The figures, of poses that belong to the images of this pass."""
        heard = {stamp: at for stamp, at in self.heard.items() if stamp in self.sent}
        arrivals = np.sort(list(heard.values())) * 1e-9
        latency = [1e-6 * (at - self.sent[stamp]) for stamp, at in heard.items()]
        figures = {'images': len(self.sent), 'poses': len(heard)}
        if len(heard) >= 2:
            figures |= {
                'median_ms': float(np.median(latency)),
                'p95_ms': float(np.percentile(latency, 95)),
                'poses_hz': float((len(arrivals) - 1) / (arrivals[-1] - arrivals[0])),
                'longest_gap_s': float(np.diff(arrivals).max()),
                'first_pose_s': 1e-9 * (min(heard.values()) - min(self.sent.values())),
            }
        figures['stages'] = {name: float(np.mean(v)) for name, v in self.stages.items()}
        return figures


class RobotNode(Node):
    """Publishes what a robot publishes; `run` is one pass."""

    def __init__(self, photos: list[np.ndarray], camera: Camera) -> None:
        super().__init__('bench_robot')
        qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._image = self.create_publisher(Image, 'image', qos)
        self._camera_info = self.create_publisher(CameraInfo, 'camera_info', qos)
        self._tf = TransformBroadcaster(self)
        self._static = StaticTransformBroadcaster(self)
        self._static.sendTransform(
            messages.transform_stamped(T_BASE_CAM, 'base_link', FRAME, Time().to_msg())
        )
        self._photos = [serialized(photo) for photo in photos]
        self._info = CameraInfo(
            width=WIDTH, height=HEIGHT, k=camera.resized(WIDTH, HEIGHT).matrix_opencv().ravel()
        )
        self._count, self._refused = 0, ''
        self._pass = Pass()
        self.create_subscription(PoseStamped, 'posemap/pose', self._on_pose, 100, raw=True)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self._refine = self.create_client(Trigger, 'posemap/refine')
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def wait_for_node(self, seconds: float) -> None:
        """Until somebody listens to the images, and half a second for the other topics."""
        give_up = time.monotonic() + seconds
        while not self._image.get_subscription_count():
            if time.monotonic() > give_up:
                raise TimeoutError(f'nobody listened to the images within {seconds:.0f} s')
            time.sleep(0.01)
        time.sleep(0.5)

    def run(self, rate: float, seconds: float, refine: bool = False) -> dict:
        """Publish at `rate` for so long, or until refine has answered; return the figures."""
        self._pass = Pass()
        request = self._refine.call_async(Trigger.Request()) if refine else None
        began, processor = time.monotonic(), time.process_time()
        image_due = odometry_due = began
        while (now := time.monotonic()) < began + seconds and not (request and request.done()):
            if now >= odometry_due:
                self._publish_odometry(now)
                odometry_due += 1 / ODOMETRY_HZ
            if now >= image_due:
                self._publish_image()
                image_due += 1 / rate
            due = min(image_due, odometry_due, began + seconds)
            self._executor.spin_once(timeout_sec=max(due - time.monotonic(), 0.0))
        took = time.monotonic() - began
        figures = {
            'seconds': took,
            'robot_cores': (time.process_time() - processor) / took,
            'sent_hz': len(self._pass.sent) / took,
        }
        self._listen(LAST_POSES_S)
        if request:
            answered = request.done()
            figures['refine'] = request.result().message if answered else 'no answer in time'
        return figures | self._pass.answer()

    def _publish_odometry(self, now: float) -> None:
        angle = SPEED * now / RADIUS_M
        T_odom_base = np.eye(4)
        T_odom_base[:2, 3] = RADIUS_M * np.cos(angle), RADIUS_M * np.sin(angle)
        stamp = self.get_clock().now().to_msg()
        self._tf.sendTransform(messages.transform_stamped(T_odom_base, 'odom', 'base_link', stamp))

    def _publish_image(self) -> None:
        photo = self._photos[self._count % len(self._photos)]
        self._count += 1
        now = time.time_ns()
        stamp = now - AGE_NS
        _STAMP.pack_into(photo, 4, *divmod(stamp, 10**9))
        self._info.header = Header(frame_id=FRAME, stamp=Time(nanoseconds=stamp).to_msg())
        self._camera_info.publish(self._info)
        self._pass.sent[stamp] = now
        self._image.publish(bytes(photo))

    def _on_pose(self, message: bytes, info: dict) -> None:
        seconds, nanoseconds = _STAMP.unpack_from(message, 4)
        self._pass.heard[seconds * 10**9 + nanoseconds] = info['received_timestamp']

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            for entry in status.values:
                if entry.key.endswith('[ms]'):
                    name = entry.key.removesuffix(' [ms]')
                    self._pass.stages[name].append(float(entry.value))

    def _listen(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)


def serialized(photo: np.ndarray) -> bytearray:
    """An rgb8 message of uint8 [height, width, 3], as it goes over the wire."""
    message = messages.rgb_image(photo, Header(frame_id=FRAME))
    return bytearray(serialize_message(message))


def read_photos(folder: Path) -> list[np.ndarray]:
    """The images in a folder as uint8 RGB [480, 640, 3], in order."""
    paths = sorted(folder.glob('*.*'))
    return [cv2.resize(cv2.imread(str(path)), (WIDTH, HEIGHT))[..., ::-1] for path in paths]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('photos', type=Path, help='folder of images, shown in turn')
    parser.add_argument('camera', type=json.loads, help='of the images at any size, as JSON')
    parser.add_argument('--patience', type=float, default=60.0, help='seconds to wait for a node')
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    rclpy.init()
    robot = RobotNode(read_photos(arguments.photos), Camera.from_dict(arguments.camera))
    robot.wait_for_node(arguments.patience)
    for line in sys.stdin:
        print(json.dumps(robot.run(**json.loads(line))), flush=True)
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
