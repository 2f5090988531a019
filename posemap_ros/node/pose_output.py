"""The topics that say where the robot is: ~/pose, ~/pose_with_covariance, ~/path and ~/state."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Path
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header, String

from posemap_ros.node import messages
from posemap_ros.node.fix import Fix
from posemap_ros.node.state import State

# Whoever comes late (RViz, a restarted planner) gets the last pose at once.
LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
# A second pose of the same moment is worth sending only if it is so much surer.
_BETTER = 0.5


class PoseOutput:
    """Publishes poses of the robot in `frame`; the path keeps `path_length` of them."""

    def __init__(self, node: Node, frame: str, path_length: int) -> None:
        self._frame = frame
        self._pose = node.create_publisher(PoseStamped, '~/pose', LATCHED_QOS)
        self._pose_with_covariance = node.create_publisher(
            PoseWithCovarianceStamped, '~/pose_with_covariance', LATCHED_QOS
        )
        self._path_publisher = node.create_publisher(Path, '~/path', LATCHED_QOS)
        self._state_publisher = node.create_publisher(String, '~/state', LATCHED_QOS)
        self._state: State | None = None
        self._last: tuple[int, float] | None = None
        self._lock = threading.Lock()
        self._path: deque[PoseStamped] = deque(maxlen=path_length)
        self._path_is_new = False

    def publish_accepted(self, fix: Fix, stamp: Time, spacing: float) -> None:
        """A fix to believe; it goes onto the path if `spacing` metres from the last one there."""
        self._publish_with_covariance(fix.T_map_base, fix.covariance, stamp)
        self._last = messages.nanoseconds(stamp), fix.sigma_translation_m
        pose = messages.pose_stamped(fix.T_map_base, self._frame, stamp)
        self._pose.publish(pose)
        with self._lock:
            if not self._path or _metres(self._path[-1], pose) >= spacing:
                self._path.append(pose)
                self._path_is_new = True

    def publish_rejected(self, T_map_base: np.ndarray, stamp: Time) -> None:
        """A fix not to believe: only where the covariance can say so."""
        self._publish_with_covariance(T_map_base, messages.LOST_COVARIANCE, stamp)

    def improves(self, fix: Fix, stamp: Time) -> bool:
        """Whether a fix is newer than the last pose, or much surer for the same moment."""
        if self._last is None:
            return True
        last_ns, last_sigma = self._last
        ns = messages.nanoseconds(stamp)
        return ns > last_ns or (ns == last_ns and fix.sigma_translation_m < _BETTER * last_sigma)

    def publish_state(self, state: State) -> None:
        """Say how well the robot is localized, where that has changed."""
        with self._lock:
            if state is not self._state:
                self._state = state
                self._state_publisher.publish(String(data=state.value))

    def publish_path(self) -> None:
        """Publish the path if it has changed and someone looks: it is long."""
        if not self._path_is_new or not self._path_publisher.get_subscription_count():
            return
        with self._lock:
            self._path_is_new = False
            poses = list(self._path)
        header = Header(frame_id=self._frame)
        if poses:
            header.stamp = poses[-1].header.stamp
        self._path_publisher.publish(Path(header=header, poses=poses))

    def clear(self) -> None:
        """Start a new path."""
        with self._lock:
            self._last = None
            self._path.clear()
            self._path_is_new = True

    @property
    def publishers(self) -> list[Publisher]:
        """For whoever ends them."""
        return [
            self._pose,
            self._pose_with_covariance,
            self._path_publisher,
            self._state_publisher,
        ]

    def _publish_with_covariance(
        self, T_map_base: np.ndarray, covariance: np.ndarray, stamp: Time
    ) -> None:
        self._pose_with_covariance.publish(
            messages.pose_with_covariance(T_map_base, covariance, self._frame, stamp)
        )


def _metres(a: PoseStamped, b: PoseStamped) -> float:
    p, q = a.pose.position, b.pose.position
    return float(np.linalg.norm([p.x - q.x, p.y - q.y, p.z - q.z]))
