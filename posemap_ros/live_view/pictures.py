"""Renders what the map shows at the latest pose, at the rate that half a core allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from posemap_ros.environment import Environment
from posemap_ros.live_view.scene import Scene
from posemap_ros.map_view.paced import PacedRenderer
from posemap_ros.map_view.place import Place
from posemap_ros.map_view.rendering import MapRenderer
from posemap_ros.messages.image_message import to_rgb
from posemap_ros.node.worker import Worker

_SECONDS = 0.4  # for one view and PoseMap


@dataclass(frozen=True, eq=False)
class Moment:
    """An image, and where it was taken."""

    time_ns: int
    image: Image | CompressedImage
    T_map_cam: np.ndarray


class PictureMaker:
    """Loads the map of an environment, and renders in a thread of its own.

    Args:
        folder: of the environment.
        scene: shown the pictures, and once the colours of the place's points.
        on_error: told why there is no picture.
    """

    def __init__(self, folder: Path, scene: Scene, on_error: Callable[[Exception], None]) -> None:
        self._folder, self._scene = folder, scene
        self._render: PacedRenderer | None = None
        self._worker = Worker('pictures', self._make, on_error)
        self.offer = self._worker.offer
        self.stop = self._worker.stop

    def _make(self, moment: Moment | None) -> None:
        began = time.monotonic()
        photo = to_rgb(moment.image)
        if self._render is None:
            self._load(photo)
        self._scene.pictures(moment.time_ns, self._render(moment.T_map_cam, photo))
        time.sleep(time.monotonic() - began)  # as long for everyone else

    def _load(self, photo: np.ndarray) -> None:
        environment = Environment.load(self._folder)
        place = Place.of(environment)
        renderer = MapRenderer(environment.load_nerf_p(), environment.network_camera, place)
        self._render = PacedRenderer(renderer, _SECONDS)
        self._scene.lens(environment.camera.undistorted().resized(photo.shape[1], photo.shape[0]))
        if place is not None:
            self._scene.points(place.points, renderer.point_colours(place, photo))
