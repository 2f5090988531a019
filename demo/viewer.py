"""Listens to the robot and to the localizer, and compares pose with truth.

The bag's truth is the pose of camera_optical, the localizer's pose is that of base_link, both in
map: the truth is carried to base_link by the static transforms on /tf_static. The truth is
published together with its image, so it also tells when that was.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, Transform, Vector3
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.node.messages import matrix as matrix_of_transform

from .stamps import stamp_ns


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


@dataclass
class Play:
    """What one play of a drive brought; times in ns."""

    images: int = 0  # that were published
    fixes: list[Fix] = field(default_factory=list)  # the first pose of each image that has one
    states: list[tuple[int, str]] = field(default_factory=list)  # when it arrived, and what it was
    sent: dict[int, int] = field(default_factory=dict)  # stamp of an image: when it was published
    truth: dict[int, np.ndarray] = field(default_factory=dict)  # and the true T_map_optical


class Viewer(Node):
    """Collects one `play` after the other."""

    def __init__(self) -> None:
        super().__init__('demo_viewer')
        self.play = Play()
        self._mount: dict[str, tuple[str, np.ndarray]] = {}  # child: (parent, T_parent_child)
        self._truth: dict[int, np.ndarray] = {}  # of images without a fix: stamp, T_map_optical
        self._poses: dict[int, tuple[int, np.ndarray]] = {}  # not yet paired: when it came, pose
        many = QoSProfile(depth=500)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(TFMessage, '/tf_static', self._on_static, latched)
        self.create_subscription(PoseStamped, '/ground_truth/pose', self._on_truth, many)
        self.create_subscription(PoseStamped, '/posemap/pose', self._on_pose, many)
        self.create_subscription(String, '/posemap/state', self._on_state, latched)

    def start_play(self) -> None:
        """Begin a new one."""
        self.play = Play()
        self._truth.clear()
        self._poses.clear()

    def _on_static(self, message: TFMessage) -> None:
        for transform in message.transforms:
            self._mount[transform.child_frame_id] = (
                transform.header.frame_id,
                matrix_of_transform(transform.transform),
            )

    def _on_truth(self, message: PoseStamped, info: dict) -> None:
        stamp = stamp_ns(message)
        self._truth[stamp] = self.play.truth[stamp] = matrix_of_pose(message.pose)
        self.play.sent[stamp] = info['source_timestamp']
        self._pair(stamp)

    def _on_pose(self, message: PoseStamped, info: dict) -> None:
        # A surer pose of the same image may come later; what counts is what was said at once.
        self._poses.setdefault(
            stamp_ns(message), (info['received_timestamp'], matrix_of_pose(message.pose))
        )
        self._pair(stamp_ns(message))

    def _on_state(self, message: String, info: dict) -> None:
        self.play.states.append((info['received_timestamp'], message.data))

    def _pair(self, stamp: int) -> None:
        """Make a fix of pose and truth, once both have arrived here."""
        if stamp not in self._poses or stamp not in self._truth or not self._mount:
            return
        arrived, T_map_base = self._poses[stamp]
        true = self._truth.pop(stamp) @ np.linalg.inv(self.T_base_optical)
        latency = (arrived - self.play.sent[stamp]) * 1e-6
        self.play.fixes.append(Fix(stamp, arrived, latency, T_map_base, true))

    @property
    def T_base_optical(self) -> np.ndarray:
        """Where the camera is on the robot, along the static transforms."""
        frame, T = 'camera_optical', np.eye(4)
        while frame != 'base_link':
            frame, T_parent_frame = self._mount[frame]
            T = T_parent_frame @ T
        return T


def matrix_of_pose(pose: Pose) -> np.ndarray:
    p = pose.position
    return matrix_of_transform(
        Transform(translation=Vector3(x=p.x, y=p.y, z=p.z), rotation=pose.orientation)
    )


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
