"""~/posemap_image: what the camera saw, and what the map shows from where it is believed to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image

from posemap_ros.camera import Camera, ImageAdapter
from posemap_ros.map_view.paced import PacedRenderer
from posemap_ros.map_view.panels import side_by_side
from posemap_ros.map_view.place import Place
from posemap_ros.map_view.rendering import MapRenderer
from posemap_ros.node import messages
from posemap_ros.node.fix import Fix
from posemap_ros.node.frames import camera_in_map
from posemap_ros.node.localization import Localization
from posemap_ros.node.sighting import Sighting
from posemap_ros.node.state import State
from posemap_ros.node.worker import Worker

# Share of one core that pictures may take, and the most of its time for one of them.
_SHARE, _MOST_SECONDS = 0.25, 0.5
_NICENESS = 10  # poses go first


class PictureOutput:
    """Renders and publishes while someone looks, in a thread that steps back.

    Args:
        place: chooses colours; None where landmarks were not mapped.
        rate: of `offer`, Hz.
        on_error: told what went wrong with one picture.
    """

    def __init__(
        self,
        node: Node,
        localization: Localization,
        place: Place | None,
        rate: float,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._localization, self._place = localization, place
        self._seconds = min(_SHARE / rate, _MOST_SECONDS)
        self._render: PacedRenderer | None = None
        self._adapter: ImageAdapter | None = None
        self.publisher: Publisher = node.create_publisher(Image, '~/posemap_image', 1)
        self._worker = Worker('picture', self._publish, on_error, _NICENESS)

    def offer(self) -> None:
        """Make the next picture, of the latest pose, if someone looks."""
        latest = self._localization.latest
        if latest is not None and self.publisher.get_subscription_count():
            self._worker.offer((*latest, self._caption(latest[1])))

    def close(self) -> None:
        """Make no more."""
        self._worker.stop()

    def _caption(self, fix: Fix) -> str:
        """State, error and age of the pose that is shown."""
        localization = self._localization
        state, age = localization.state(), localization.seconds_since_fix()
        words = [
            state.value,
            f'+-{fix.sigma_translation_m:.3f} m',
            f'+-{fix.sigma_rotation_deg:.2f} deg',
            localization.source if state is State.LOCALIZED else localization.rejection,
            f'{age:.1f} s ago' if age is not None else '',
        ]
        return '   '.join(word for word in words if word)

    def _publish(self, item: tuple[Sighting, Fix, str] | None) -> None:
        sighting, fix, caption = item
        if self._render is None:
            self._render = self._load()
        photo = self._as_the_map_shows_it(sighting.image, sighting.camera)
        pictures = self._render(camera_in_map(fix.T_map_base, sighting.T_base_cam), photo)
        picture = side_by_side(
            {'camera': photo, 'map': pictures.view, 'PoseMap': pictures.posemap}, caption
        )
        self.publisher.publish(messages.rgb_image(picture, sighting.header))

    def _load(self) -> PacedRenderer:
        localizer = self._localization.localizer
        environment = localizer.environment
        nerf = environment.load_nerf_p(localizer.device)
        renderer = MapRenderer(nerf, environment.network_camera, self._place)
        return PacedRenderer(renderer, self._seconds / torch.get_num_threads())

    def _as_the_map_shows_it(self, image: np.ndarray, camera: Camera) -> np.ndarray:
        """The image, cut, undistorted and scaled to the same view."""
        if self._adapter is None or self._adapter.source != camera:
            self._adapter = ImageAdapter(camera, self._render.camera)
        return self._adapter(image)
