"""What the node asks of TF: where odometry saw the robot, and how the camera is mounted on it."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, ExtrapolationException, TransformException, TransformListener

from posemap_ros.node import messages
from posemap_ros.node.frames import TfMode
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.stamps import FrameRefused


class NoTransform(ValueError):
    """TF does not know a transform; the sentence is tf2's."""


class NotYet(NoTransform):
    """The frames are connected, but not at that time: TF may come later than the image."""


class TfReader:
    """Looks transforms up, without waiting for anything, once it listens.

    Give it the node whose clock it follows: a buffer that does not know the node follows the
    system's clock and keeps stale transforms when a bag loops. One for the node's whole life: a
    buffer offers a service that nobody takes away again.
    """

    def __init__(self, node: Node, parameters: Parameters) -> None:
        self._node, self._p = node, parameters
        self._mode = TfMode(parameters.tf_mode)
        self._buffer = Buffer(node=node)
        self._listener: TransformListener | None = None

    def listen(self) -> None:
        """Take transforms from now on."""
        # Its option spin_thread must stay off: it would spin the node a second time.
        self._listener = TransformListener(self._buffer, self._node)

    def odometry_at(self, stamp: Time) -> np.ndarray | None:
        """``T_odom_base``; None in the modes for robots without odometry.

        Raises `NotYet` or `NoTransform`.
        """
        if self._mode in (TfMode.MAP_TO_BASE, TfMode.MAP_TO_CAMERA):
            return None
        return self.lookup(self._p.odom_frame, self._p.base_frame, stamp)

    def mounting(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """``T_base_cam``: how the camera is mounted on the frame whose pose is published.

        Raises `NotYet`, as where a joint moves it, or `FrameRefused`: nothing can be said of the
        robot without.
        """
        if self._mode is TfMode.MAP_TO_CAMERA:
            return np.eye(4)
        base = self._p.base_frame
        try:
            return self.lookup(base, camera_frame, stamp)
        except NotYet:
            raise
        except NoTransform as error:
            raise FrameRefused(
                f'TF does not say how the camera is mounted ({error}): run robot_state_publisher '
                f'or a static_transform_publisher from {base} to {camera_frame}; for a camera on '
                'its own, set tf_mode to map_to_camera'
            ) from None

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
        """Listen no more, and forget what was heard."""
        self._listener.unregister()
        self.clear()
