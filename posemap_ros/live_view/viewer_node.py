"""The view's node: subscribes to what the localizer publishes, and shows it."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Pose, PoseWithCovarianceStamped, Transform, Vector3
from nav_msgs.msg import Path as PathMessage
from rcl_interfaces.msg import Log
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_msgs.msg import String

from posemap_ros.live_view import paths
from posemap_ros.live_view.pictures import Moment, PictureMaker
from posemap_ros.live_view.scene import JPEG, PNG, Scene, jpeg
from posemap_ros.live_view.status import markdown, plotted
from posemap_ros.live_view.watched_node import Asking, WatchedNode
from posemap_ros.messages.image_message import UnsupportedImage, to_rgb
from posemap_ros.node import messages
from posemap_ros.node.reminder import Reminder
from posemap_ros.node.stamps import FrameRefused
from posemap_ros.node.tf import NotYet, TfReader
from posemap_ros.pose_covariance import sigma_rotation_deg, sigma_translation_m
from posemap_ros.support.printable import printable

_LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_LOG_QOS = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
_IMAGE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_REPEAT_SECONDS = 300.0
_IMAGES_KEPT = 32  # until the pose of each has come
_SECONDS_BETWEEN_IMAGES = 0.09  # that are shown: more would fill the memory of who looks
# The covariance that says that nothing is known.
_LOST = messages.LOST_COVARIANCE[0, 0]
_LEVELS = {10: 'DEBUG', 20: 'INFO', 30: 'WARN', 40: 'ERROR', 50: 'CRITICAL'}


class ViewerNode(Node):
    """Shows one localizer in a scene.

    Args:
        target: name of the localizer's node, such as /posemap.
        scene: where it is shown.
        environment: its folder; None: where the localizer says that it is.
    """

    def __init__(self, target: str, scene: Scene, environment: Path | None = None) -> None:
        super().__init__('posemap_view')
        self._target, self._scene, self._environment = target, scene, environment
        self._reminder = Reminder()
        self._watched: WatchedNode | None = None
        self._tf: TfReader | None = None
        self._pictures: PictureMaker | None = None
        self._images: OrderedDict[int, Image | CompressedImage] = OrderedDict()
        self._image_topic = self._state = self._refine = ''
        self._next_image = 0
        self._asking = Asking(self, target, self._on_parameters)
        for kind, topic, callback, qos in (
            (PointCloud2, f'{target}/map_points', self._on_map_points, _LATCHED_QOS),
            (PathMessage, f'{target}/mapped_path', self._on_mapped_path, _LATCHED_QOS),
            (String, f'{target}/state', self._on_state, _LATCHED_QOS),
            (PoseWithCovarianceStamped, f'{target}/pose_with_covariance', self._on_pose, 20),
            (DiagnosticArray, '/diagnostics', self._on_diagnostics, 10),
            (Log, '/rosout', self._on_log, _LOG_QOS),
        ):
            self.create_subscription(kind, topic, callback, qos)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._asking.ask, clock=steady)
        self.create_timer(_REPEAT_SECONDS, scene.repeat_what_stays, clock=steady)

    def stop(self) -> None:
        """End the thread that renders."""
        if self._pictures is not None:
            self._pictures.stop()

    # ---- getting to know the localizer

    def _on_parameters(self, watched: WatchedNode) -> None:
        self.get_logger().info(f'watching {self._target}')
        self._watched = watched
        self._tf = TfReader(self, watched)
        self._tf.listen()
        folder = self._environment or watched.environment_folder
        if not folder.is_dir():
            self._warn(
                f"{self._target}'s environment {folder} is not a folder here, so nothing is "
                'rendered: name it with --environment'
            )
            return
        self._pictures = PictureMaker(folder, self._scene, self._on_no_picture)

    def _join_images(self, topic: str) -> None:
        """The topic on which the localizer gets its images; it says so in its diagnostics."""
        if topic and not self._image_topic and self._watched is not None:
            self._image_topic = topic
            compressed = self._watched.image_transport == 'compressed'
            kind = CompressedImage if compressed else Image
            self.create_subscription(kind, topic, self._on_image, _IMAGE_QOS)

    # ---- the place

    def _on_map_points(self, message: PointCloud2) -> None:
        if self._pictures is None:  # else they come from it, in colour
            self._scene.points(points_of(message))

    def _on_mapped_path(self, message: PathMessage) -> None:
        positions = [pose.pose.position for pose in message.poses]
        self._scene.mapped_path(np.array([[p.x, p.y, p.z] for p in positions]).reshape(-1, 3))

    # ---- what happens

    def _on_image(self, message: Image | CompressedImage) -> None:
        stamp = messages.nanoseconds(message.header.stamp)
        self._images[stamp] = message
        while len(self._images) > _IMAGES_KEPT:
            self._images.popitem(last=False)
        now = self.get_clock().now().nanoseconds
        if 0 <= self._next_image - now < 1e9:
            return
        self._next_image = now + round(1e9 * _SECONDS_BETWEEN_IMAGES)
        try:
            self._scene.image(stamp, encoded(message))
        except UnsupportedImage as error:
            self._warn(str(error))

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        stamp = messages.nanoseconds(message.header.stamp)
        covariance = np.reshape(message.pose.covariance, (6, 6))
        if covariance[0, 0] >= _LOST:
            self._scene.no_pose(stamp)
            return
        T_map_base = matrix(message.pose.pose)
        T_base_cam = self._mounting(stamp, message)
        self._scene.pose(stamp, T_map_base, covariance, T_base_cam, self._state)
        spread = {
            'cm': 100 * sigma_translation_m(covariance),
            'deg': sigma_rotation_deg(covariance),
        }
        self._scene.figures(stamp, paths.SIGMA, spread)
        late = self.get_clock().now().nanoseconds - stamp
        self._scene.figures(stamp, paths.LATENCY, {'pose': late * 1e-6})
        image = self._images.get(stamp)
        if self._pictures is not None and image is not None and T_base_cam is not None:
            self._pictures.offer(Moment(stamp, image, T_map_base @ T_base_cam))

    def _mounting(self, stamp: int, message: PoseWithCovarianceStamped) -> np.ndarray | None:
        """``T_base_cam`` at the time of an image; None while it is not known."""
        image = self._images.get(stamp)
        if self._watched is None or image is None:
            return None
        frame = self._watched.camera_frame or image.header.frame_id
        try:
            return self._tf.mounting(frame, Time.from_msg(message.header.stamp))
        except (FrameRefused, NotYet):
            return None

    def _on_state(self, message: String) -> None:
        self._state = message.data
        level = {'lost': 'ERROR', 'uncertain': 'WARN'}.get(message.data, 'INFO')
        self._scene.say(self._now(), paths.STATE_LOG, printable(message.data), level)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        prefix = f'{self._target.strip("/")}: '
        statuses = {
            status.name.removeprefix(prefix): status
            for status in message.status
            if status.name.startswith(prefix)
        }
        if not statuses:  # another node's
            return
        now = self._now()
        values = {
            value.key: value.value for status in statuses.values() for value in status.values
        }
        self._join_images(values.get('topic', ''))
        self._scene.status(now, markdown(statuses))
        for plot, figures in plotted(values).items():
            self._scene.figures(now, plot, figures)
        self._tell_refine(now, statuses.get('refine'))

    def _tell_refine(self, now: int, status: DiagnosticStatus | None) -> None:
        if status is not None and status.message != self._refine:
            self._refine = status.message
            level = 'WARN' if status.level == DiagnosticStatus.WARN else 'INFO'
            self._scene.say(now, paths.REFINE_LOG, printable(status.message, 2000), level)

    def _on_log(self, message: Log) -> None:
        if message.name == self._target.strip('/').replace('/', '.'):
            level = _LEVELS.get(message.level, 'INFO')
            stamp = messages.nanoseconds(message.stamp)
            self._scene.say(stamp, paths.NODE_LOG, printable(message.msg, 2000), level)

    # ---- telling

    def _on_no_picture(self, error: Exception) -> None:
        self._warn(f'nothing is rendered: {error}')

    def _warn(self, sentence: str) -> None:
        if self._reminder.is_due(sentence):
            self.get_logger().warning(printable(sentence, 1000))
            self._scene.say(self._now(), paths.VIEW_LOG, sentence, 'WARN')

    def _now(self) -> int:
        return self.get_clock().now().nanoseconds


def encoded(message: Image | CompressedImage) -> bytes:
    """An image as JPEG or PNG, as it came if it came so. Raises `UnsupportedImage`."""
    if hasattr(message, 'format'):
        data = bytes(message.data)
        if data.startswith((JPEG, PNG)):
            return data
    return jpeg(to_rgb(message))


def points_of(message: PointCloud2) -> np.ndarray:
    """x, y, z of its points, [N, 3] float32, where they come first."""
    step = message.point_step
    rows = np.frombuffer(message.data, np.uint8).reshape(-1, step)[:, :12]
    return np.ascontiguousarray(rows).view('<f4')


def matrix(pose: Pose) -> np.ndarray:
    """[4, 4] of a pose message."""
    p = pose.position
    return messages.matrix(
        Transform(translation=Vector3(x=p.x, y=p.y, z=p.z), rotation=pose.orientation)
    )
