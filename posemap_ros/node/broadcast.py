"""The one transform that the node sends on TF, in the way that `tf_mode` says."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import TransformBroadcaster

from posemap_ros.node import messages
from posemap_ros.node.frames import TfMode, odom_in_map
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.tf import TfReader


class Broadcast:
    """Sends map->odom again and again; or map->base or map->camera, once for each image.

    map->odom again, because fixes come at 2 to 30 Hz and may pause, while others ask TF at any
    time; dated ``transform_tolerance`` into the future, because TF does not extrapolate, so
    without it every question about now would fail. The correction changes slowly: that is what
    makes both right.

    Args:
        node: whose clock dates it.
        parameters: the node's.
        tf: tells whether a frame has another parent already.
        warn: tells the user a sentence, now and then.
    """

    def __init__(
        self, node: Node, parameters: Parameters, tf: TfReader, warn: Callable[[str], None]
    ) -> None:
        self._p, self._tf, self._warn = parameters, tf, warn
        self._node, self._clock = node, node.get_clock()
        self._mode = TfMode(parameters.tf_mode)
        self._broadcaster = TransformBroadcaster(node)
        self._lock = threading.Lock()
        self._correction: tuple[np.ndarray, Time] | None = None

    def follow(
        self,
        T_map_base: np.ndarray,
        T_odom_base: np.ndarray | None,
        camera_frame: str,
        stamp: Time,
    ) -> None:
        """Send what a new pose of the robot says; odometry is that of the same moment."""
        p = self._p
        if self._mode is TfMode.MAP_TO_ODOM and T_odom_base is not None:
            with self._lock:
                T_map_odom = odom_in_map(T_map_base, T_odom_base)
                self._correction = T_map_odom, self._clock.now()
            self.send_again()
        elif self._mode is TfMode.MAP_TO_BASE:
            self._place(T_map_base, p.base_frame, p.odom_frame, stamp)
        elif self._mode is TfMode.MAP_TO_CAMERA:
            self._place(T_map_base, camera_frame, p.base_frame, stamp)

    def send_again(self) -> None:
        """Send the latest map->odom once more, unless it is older than ``fix_timeout``."""
        with self._lock:
            if self._correction is None:
                return
            T_map_odom, since = self._correction
            now = self._clock.now()
            if (now - since).nanoseconds * 1e-9 > self._p.fix_timeout:
                self._correction = None
                return
            ahead = Duration(nanoseconds=int(self._p.transform_tolerance * 1e9))
            self._send(T_map_odom, self._p.odom_frame, now + ahead)

    def clear(self) -> None:
        """Stop sending until there is something new."""
        with self._lock:
            self._correction = None

    def close(self) -> None:
        """Send no more."""
        self._node.destroy_publisher(self._broadcaster.pub_tf)

    def _place(self, T: np.ndarray, child: str, other_parent: str, stamp: Time) -> None:
        """Put a frame into the map, unless something else is its parent already."""
        if child != other_parent and self._tf.knows(other_parent, child):
            self._warn(
                f'{child} is not placed in the map, because TF connects it with {other_parent}, '
                'and a second parent would cut it off from there: use another tf_mode'
            )
            return
        self._send(T, child, stamp)

    def _send(self, T_map_child: np.ndarray, child: str, stamp: Time) -> None:
        self._broadcaster.sendTransform(
            messages.transform_stamped(T_map_child, self._p.map_frame, child, stamp.to_msg())
        )
