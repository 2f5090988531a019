"""Tells amcl where the robot is: the executable `seed_amcl`, a node beside nav2's.

    ros2 run posemap_ros seed_amcl

amcl follows a pose well and finds none by itself; the camera finds it. This publishes
`initialpose` for it from posemap's poses, once at the start, and again where amcl's own poses stay
away from them. Only poses that are sure to some centimetres are passed on: verified ones, or close
to that. Both localizers must use one map frame, and only amcl may broadcast map->odom: start
posemap with `tf_mode:=none`.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions

from posemap_ros.node.messages import nanoseconds
from posemap_ros.node.signals import LOOK_SECONDS, on_signals

# amcl spreads its particles by the covariance that it is given, and can only follow what they
# cover: the maps and the frames of two sensors never agree to the millimetre.
LEAST_SIGMA_M, LEAST_SIGMA_RAD = 0.1, np.radians(5.0)
_HISTORY_SECONDS = 10.0
_SAME_MOMENT_SECONDS = 0.2


@dataclass(frozen=True)
class PlanarPose:
    """Where something says that the robot is, in the plane of the map."""

    seconds: float
    x: float
    y: float
    heading: float  # radians
    sigma_m: float
    sigma_rad: float

    @classmethod
    def of(cls, message: PoseWithCovarianceStamped) -> PlanarPose:
        """What a message says."""
        p, q = message.pose.pose.position, message.pose.pose.orientation
        heading = np.arctan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y**2 + q.z**2))
        variances = np.maximum(np.reshape(message.pose.covariance, (6, 6)).diagonal(), 0.0)
        return cls(
            nanoseconds(message.header.stamp) * 1e-9,
            p.x,
            p.y,
            float(heading),
            float(np.sqrt(variances[:2].max())),
            float(np.sqrt(variances[5])),
        )

    def apart(self, other: PlanarPose) -> tuple[float, float]:
        """Metres and radians between two."""
        turn = abs(self.heading - other.heading) % (2 * np.pi)
        return float(np.hypot(self.x - other.x, self.y - other.y)), min(turn, 2 * np.pi - turn)


class Seeding:
    """Decides when to tell amcl. No ROS in here.

    Args:
        max_sigma_m, max_sigma_rad: up to where a pose is sure enough to be passed on.
        apart_m, apart_rad: from where on amcl is wrong.
        patience_s: how long it may be, and how long it may say nothing after it was told.
    """

    def __init__(
        self,
        max_sigma_m: float,
        max_sigma_rad: float,
        apart_m: float,
        apart_rad: float,
        patience_s: float,
    ) -> None:
        self._max_sigma_m, self._max_sigma_rad = max_sigma_m, max_sigma_rad
        self._apart_m, self._apart_rad, self._patience_s = apart_m, apart_rad, patience_s
        self._start_anew()

    def _start_anew(self) -> None:
        self._ours: deque[PlanarPose] = deque()
        self._told: float | None = None
        self._answered = False
        self._wrong_since: float | None = None

    def take_amcl(self, theirs: PlanarPose) -> None:
        """What amcl says."""
        if self._told is None or theirs.seconds < self._told:
            return
        self._answered = True
        near = min(self._ours, key=lambda pose: abs(pose.seconds - theirs.seconds), default=None)
        if near is None or abs(near.seconds - theirs.seconds) > _SAME_MOMENT_SECONDS:
            return
        metres, radians = near.apart(theirs)
        if metres <= self._apart_m and radians <= self._apart_rad:
            self._wrong_since = None
        elif self._wrong_since is None:
            self._wrong_since = theirs.seconds

    def is_due(self, ours: PlanarPose) -> bool:
        """Whether amcl should be told a pose of ours."""
        if ours.sigma_m > self._max_sigma_m or ours.sigma_rad > self._max_sigma_rad:
            return False
        if self._ours and ours.seconds < self._ours[-1].seconds - _SAME_MOMENT_SECONDS:
            self._start_anew()  # time went back, as when a bag is played again
        self._ours.append(ours)
        while ours.seconds - self._ours[0].seconds > _HISTORY_SECONDS:
            self._ours.popleft()
        if self._told is None:
            due = True
        elif not self._answered:
            due = ours.seconds - self._told > self._patience_s
        else:
            wrong = self._wrong_since
            due = wrong is not None and ours.seconds - wrong > self._patience_s
        if due:
            self._told, self._answered, self._wrong_since = ours.seconds, False, None
        return due


def widened(message: PoseWithCovarianceStamped) -> PoseWithCovarianceStamped:
    """The message with a covariance that leaves amcl's particles room."""
    covariance = np.reshape(message.pose.covariance, (6, 6)).copy()
    least = np.repeat((LEAST_SIGMA_M, LEAST_SIGMA_RAD), 3) ** 2
    covariance[np.diag_indices(6)] = np.maximum(covariance.diagonal(), least)
    seed = PoseWithCovarianceStamped(header=message.header)
    seed.pose.pose = message.pose.pose
    seed.pose.covariance = covariance.ravel().tolist()
    return seed


class SeedAmcl(Node):
    """Relays poses of `posemap/pose_with_covariance` to `initialpose`, where `Seeding` says so."""

    def __init__(self) -> None:
        super().__init__('seed_amcl')
        number = {
            name: self.declare_parameter(name, default).value
            for name, default in (
                ('max_sigma_translation', 0.1),
                ('max_sigma_rotation', 3.0),
                ('max_disagreement_translation', 0.5),
                ('max_disagreement_rotation', 20.0),
                ('patience', 3.0),
            )
        }
        self._seeding = Seeding(
            number['max_sigma_translation'],
            np.radians(number['max_sigma_rotation']),
            number['max_disagreement_translation'],
            np.radians(number['max_disagreement_rotation']),
            number['patience'],
        )
        self._initialpose = self.create_publisher(PoseWithCovarianceStamped, 'initialpose', 1)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(
            PoseWithCovarianceStamped, 'posemap/pose_with_covariance', self._on_pose, 1
        )
        self.create_subscription(
            PoseWithCovarianceStamped,
            'amcl_pose',
            lambda message: self._seeding.take_amcl(PlanarPose.of(message)),
            latched,
        )

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        if not self.count_publishers('amcl_pose'):
            return  # amcl is not there yet
        pose = PlanarPose.of(message)
        if self._seeding.is_due(pose):
            self._initialpose.publish(widened(message))
            self.get_logger().info(
                f'told amcl: {pose.x:.2f} m, {pose.y:.2f} m, {np.degrees(pose.heading):.0f} deg'
            )


def main(args: list[str] | None = None) -> int:
    """Run it until it is stopped."""
    stopping = threading.Event()
    on_signals(lambda *_: stopping.set())
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = SeedAmcl()
        while not stopping.is_set():
            rclpy.spin_once(node, timeout_sec=LOOK_SECONDS)
    finally:
        on_signals(signal.SIG_IGN)  # Ctrl-C under `ros2 launch` arrives twice
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
