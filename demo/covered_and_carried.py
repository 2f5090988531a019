"""The demo's third act, made of the later drive: the camera is covered, and the robot carried off.

The drive's messages, changed on their way to the player: for some seconds all images are black;
later a stretch of the drive is left out, as if somebody had carried the robot from where it begins
to where it ends. Odometry knows nothing of that: it goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from posemap_ros.node.messages import matrix, transform_stamped

from .camera import HEIGHT, WIDTH
from .stamps import move_stamps, stamp_ns

# Seconds of the drive: while the camera is covered; from where to where it is carried; the end.
COVERED = (4.0, 7.0)
CARRIED = (11.0, 19.0)
END = 29.0

Entry = tuple[int, str, Any]  # when it was recorded (ns), topic, message


def covered_and_carried(recording: Iterator[Entry]) -> Iterator[Entry]:
    """The drive as this act shows it; latched messages have to come first."""
    start, odometry = None, _Odometry()
    for recorded, topic, message in recording:
        taken = stamp_ns(message)
        start = taken if start is None else start
        seconds = 1e-9 * (taken - start)
        if seconds >= END:
            return
        if CARRIED[0] <= seconds < CARRIED[1]:
            continue
        carried = seconds >= CARRIED[1]
        if topic == '/tf':
            odometry.go_on(message, carried)
        if COVERED[0] <= seconds < COVERED[1] and hasattr(message, 'format'):
            message.data = black_jpeg()
        earlier = round(1e9 * (CARRIED[1] - CARRIED[0])) if carried else 0
        move_stamps(message, -earlier)
        yield recorded - earlier, topic, message


class _Odometry:
    """Carries odom -> base_link on over the gap."""

    def __init__(self) -> None:
        self._last = np.eye(4)
        self._correction: np.ndarray | None = None

    def go_on(self, message: Any, carried: bool) -> None:
        """Change the message where the robot has been carried, so that it did not move there."""
        for index, transform in enumerate(message.transforms):
            T_odom_base = matrix(transform.transform)
            if not carried:
                self._last = T_odom_base
                continue
            if self._correction is None:
                self._correction = self._last @ np.linalg.inv(T_odom_base)
            header = transform.header
            message.transforms[index] = transform_stamped(
                self._correction @ T_odom_base,
                header.frame_id,
                transform.child_frame_id,
                header.stamp,
            )


def black_jpeg() -> bytes:
    """What a covered camera sees."""
    return cv2.imencode('.jpg', np.zeros((HEIGHT, WIDTH, 3), np.uint8))[1].tobytes()
