"""Listens to the robot and to the localizer, and compares pose with truth.

The bag's truth is the pose of camera_optical, the localizer's pose is that of base_link, both in
map: the truth is carried to base_link by the static transforms on /tf_static.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, Transform, Vector3
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage
from tf2_msgs.msg import TFMessage

from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.node.messages import matrix as matrix_of_transform


@dataclass(frozen=True)
class Fix:
    """One pose of the localizer beside the truth; times in ns, latency in ms."""

    stamp_ns: int
    arrived_ns: int
    latency_ms: float
    T_map_base: np.ndarray
    T_map_base_true: np.ndarray

    @property
    def translation_m(self) -> float:
        return float(translation_error_m(self.T_map_base, self.T_map_base_true))

    @property
    def rotation_deg(self) -> float:
        return float(rotation_error_deg(self.T_map_base, self.T_map_base_true))


class Viewer(Node):
    """Collects the fixes of one play after the other in `fixes`."""

    def __init__(self) -> None:
        super().__init__('demo_viewer')
        self.fixes: list[Fix] = []
        self._mount: dict[str, tuple[str, np.ndarray]] = {}  # child: (parent, T_parent_child)
        self._sent: dict[int, int] = {}  # stamp of an image: when it was published
        self._truth: dict[int, np.ndarray] = {}  # stamp: T_map_optical
        self._poses: list[tuple[int, int, np.ndarray]] = []  # not yet paired
        many = QoSProfile(depth=200)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(TFMessage, '/tf_static', self._on_static, latched)
        self.create_subscription(
            CompressedImage, '/camera/image_raw/compressed', self._on_image, many)
        self.create_subscription(PoseStamped, '/ground_truth/pose', self._on_truth, many)
        self.create_subscription(PoseStamped, '/posemap/pose', self._on_pose, many)

    @property
    def images(self) -> int:
        """How many images were published in this play."""
        return len(self._sent)

    def start_play(self) -> None:
        """Forget the play before."""
        self.fixes = []
        self._sent.clear()
        self._truth.clear()
        self._poses.clear()

    def _on_static(self, message: TFMessage) -> None:
        for transform in message.transforms:
            self._mount[transform.child_frame_id] = (
                transform.header.frame_id, matrix_of_transform(transform.transform))

    def _on_image(self, message: CompressedImage, info: dict) -> None:
        self._sent[nanoseconds(message)] = info['source_timestamp']

    def _on_truth(self, message: PoseStamped) -> None:
        self._truth[nanoseconds(message)] = matrix_of_pose(message.pose)
        self._pair()

    def _on_pose(self, message: PoseStamped, info: dict) -> None:
        self._poses.append(
            (nanoseconds(message), info['received_timestamp'], matrix_of_pose(message.pose)))
        self._pair()

    def _pair(self) -> None:
        """Make fixes of the poses whose image and truth have arrived here too."""
        waiting = []
        for stamp, arrived, T_map_base in self._poses:
            if stamp in self._truth and stamp in self._sent and self._mount:
                true = self._truth[stamp] @ np.linalg.inv(self._mounting('camera_optical'))
                latency = (arrived - self._sent[stamp]) * 1e-6
                self.fixes.append(Fix(stamp, arrived, latency, T_map_base, true))
            else:
                waiting.append((stamp, arrived, T_map_base))
        self._poses = waiting

    def _mounting(self, frame: str) -> np.ndarray:
        """T_base_frame, along the static transforms."""
        T = np.eye(4)
        while frame != 'base_link':
            frame, T_parent_frame = self._mount[frame]
            T = T_parent_frame @ T
        return T


def nanoseconds(message) -> int:
    stamp = message.header.stamp
    return stamp.sec * 10 ** 9 + stamp.nanosec


def matrix_of_pose(pose: Pose) -> np.ndarray:
    p = pose.position
    return matrix_of_transform(
        Transform(translation=Vector3(x=p.x, y=p.y, z=p.z), rotation=pose.orientation))


def summary(fixes: list[Fix]) -> dict[str, float | int]:
    """Figures of one play: errors, poses a second, and from an image's publication to its pose."""
    if len(fixes) < 2:
        return {'frames': len(fixes)}
    latency = [fix.latency_ms for fix in fixes]
    seconds = (fixes[-1].arrived_ns - fixes[0].arrived_ns) * 1e-9
    return {
        'frames': len(fixes),
        'median_translation_m': float(np.median([fix.translation_m for fix in fixes])),
        'median_rotation_deg': float(np.median([fix.rotation_deg for fix in fixes])),
        'rate_hz': (len(fixes) - 1) / seconds,
        'latency_ms_median': float(np.median(latency)),
        'latency_ms_p95': float(np.percentile(latency, 95)),
    }
