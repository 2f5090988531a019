"""The frames that refine will learn from: few, and spread over where the robot has been."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

import cv2
import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.dataset.image_io import encode_image
from posemap_ros.node.frames import distance

_JPEG_QUALITY = 95
# No wider than this: more pixels say no more about a pose, and take memory.
_MOST_PIXELS_WIDE = 1280
# Standing still for this long is as much reason for another frame as moving by 1 m or 1 rad.
_SECONDS_PER_METRE = 20.0
# Frames nearer than this (metres + radians + time / 20 s) to the last one show nothing new.
_MINIMUM_GAP = 0.05


@dataclass(frozen=True, eq=False)
class KeptFrame:
    """One image as its camera took it."""

    stamp: float  # seconds
    T_odom_base: np.ndarray | None  # [4, 4]
    camera: Camera
    jpeg: bytes  # a tenth of the pixels' size, with errors far below what a keypoint notices

    @classmethod
    def of(
        cls,
        stamp: float,
        image: np.ndarray,
        camera: Camera,
        T_odom_base: np.ndarray | None = None,
    ) -> KeptFrame:
        """Of `image` [h, w, 3] uint8 RGB of `camera`, taken at `stamp` seconds."""
        shrink = min(1.0, _MOST_PIXELS_WIDE / camera.width)
        if shrink < 1.0:
            camera = camera.resized(_MOST_PIXELS_WIDE, max(1, round(shrink * camera.height)))
            size = (camera.width, camera.height)
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return cls(stamp, T_odom_base, camera, encode_image(image, '.jpg', _JPEG_QUALITY))

    def gap(self, stamp: float, T_odom_base: np.ndarray | None) -> float:
        """How much there may be between this and another frame: metres + radians + a share for
        time.
        """
        gap = abs(stamp - self.stamp) / _SECONDS_PER_METRE
        if self.T_odom_base is not None and T_odom_base is not None:
            metres, degrees = distance(self.T_odom_base, T_odom_base)
            gap += metres + math.radians(degrees)
        return gap


class FrameBuffer:
    """At most `capacity` images, none older than `horizon` seconds. Thread-safe.

    When full, the frame goes that is nearest to its two neighbours in time, by position, angle and
    time together. So a robot that waits at a door for ten minutes does not forget the corridor.
    Odometry measures the motion rather than the estimated poses: it is smooth, and right even
    while the estimates are wrong, which is when refine is needed most.
    """

    def __init__(self, capacity: int, horizon: float) -> None:
        if capacity < 3:
            raise ValueError(f'a frame buffer needs room for 3 frames or more, not {capacity}')
        self._capacity = capacity
        self._horizon = horizon
        self._frames: list[KeptFrame] = []
        self._gaps: list[float] = []  # between each and the next
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._frames)

    def wants(self, stamp: float, T_odom_base: np.ndarray | None = None) -> bool:
        """Whether an image taken then and there is worth the cost of keeping it."""
        with self._lock:
            if not self._frames:
                return True
            return self._frames[-1].gap(stamp, T_odom_base) >= _MINIMUM_GAP

    def add(self, frame: KeptFrame) -> None:
        """Keep a frame, newer than all others."""
        with self._lock:
            if self._frames:
                last = self._frames[-1]
                self._gaps.append(last.gap(frame.stamp, frame.T_odom_base))
            self._frames.append(frame)
            while self._frames[0].stamp < frame.stamp - self._horizon:
                del self._frames[0], self._gaps[0]
            if len(self._frames) > self._capacity:
                self._drop_most_redundant()

    def frames(self) -> list[KeptFrame]:
        """All that are kept, oldest first."""
        with self._lock:
            return list(self._frames)

    def clear(self) -> None:
        """Forget all frames."""
        with self._lock:
            self._frames.clear()
            self._gaps.clear()

    def _drop_most_redundant(self) -> None:
        gaps = np.array(self._gaps)
        index = 1 + int(np.argmin(gaps[:-1] + gaps[1:]))
        del self._frames[index]
        before, after = self._frames[index - 1 : index + 1]
        self._gaps[index - 1 : index + 1] = [before.gap(after.stamp, after.T_odom_base)]
