"""The node's side of TF: what it asks, and the one transform that it broadcasts."""

from __future__ import annotations

import threading

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import (
    Buffer,
    ExtrapolationException,
    TransformBroadcaster,
    TransformException,
    TransformListener,
)

from posemap_ros.node import messages


class NoTransform(ValueError):
    """TF does not know a transform; the sentence is tf2's."""


class NotYet(NoTransform):
    """The frames are connected, but not at that time: odometry may come later than the image."""


class TfReader:
    """Looks transforms up, without waiting for anything.

    Give it the node whose clock it follows: a buffer that does not know the node follows the
    system's clock and keeps stale transforms when a bag loops. The listener's option spin_thread
    must stay off: it would spin the node a second time.
    """

    def __init__(self, node: Node) -> None:
        self._buffer = Buffer(node=node)
        self._listener = TransformListener(self._buffer, node)

    def lookup(self, target: str, source: str, stamp: Time) -> np.ndarray:
        """``T_target_source`` [4, 4] at `stamp`. Raises `NotYet` or `NoTransform`."""
        if target == source:
            return np.eye(4)
        try:
            return messages.matrix(self._buffer.lookup_transform(target, source, stamp).transform)
        except ExtrapolationException as error:
            raise NotYet(str(error)) from None
        except (TransformException, ValueError) as error:  # unknown, or no rigid motion
            raise NoTransform(str(error)) from None

    def knows(self, target: str, source: str) -> bool:
        """Whether the two frames are connected at all."""
        return self._buffer.can_transform(target, source, Time())

    def clear(self) -> None:
        """Forget what moves; static transforms stay."""
        self._buffer.clear()

    def close(self) -> None:
        """Listen no more."""
        self._listener.unregister()


class Correction:
    """Broadcasts the latest map->odom, again and again, dated `tolerance` seconds into the future.

    Again, because fixes come at 2 to 30 Hz and may pause, while others ask TF at any time; into
    the future, because TF does not extrapolate, so without it every question about now would fail.
    The correction changes slowly: that is what makes both right.
    """

    def __init__(self, node: Node, map_frame: str) -> None:
        self._node = node
        self._map_frame = map_frame
        self._broadcaster = TransformBroadcaster(node)
        self._lock = threading.Lock()
        self._latest: tuple[np.ndarray, str, Time] | None = None

    def update(self, T_map_odom: np.ndarray, odom_frame: str, tolerance: float) -> None:
        """Take and send a new correction."""
        with self._lock:
            self._latest = (T_map_odom, odom_frame, self._node.get_clock().now())
        self.send_again(tolerance, timeout=float('inf'))

    def send_again(self, tolerance: float, timeout: float) -> None:
        """Send the latest correction once more, unless it is older than `timeout` seconds."""
        with self._lock:
            if self._latest is None:
                return
            T, child, since = self._latest
            now = self._node.get_clock().now()
            if (now - since).nanoseconds * 1e-9 > timeout:
                self._latest = None
                return
            stamp = (now + Duration(nanoseconds=int(tolerance * 1e9))).to_msg()
            self._broadcaster.sendTransform(
                messages.transform_stamped(T, self._map_frame, child, stamp)
            )

    def send_once(self, T_map_child: np.ndarray, child: str, stamp: Time) -> None:
        """Send a transform for one moment: a robot without odometry is there then, not later."""
        self._broadcaster.sendTransform(
            messages.transform_stamped(T_map_child, self._map_frame, child, stamp.to_msg())
        )

    def clear(self) -> None:
        """Stop sending until the next update."""
        with self._lock:
            self._latest = None
