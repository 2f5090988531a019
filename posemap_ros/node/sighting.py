"""An image and what it shows of where it was taken: from a message to the network's estimate."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from posemap_ros.camera import Camera, CameraMismatch, InvalidCamera
from posemap_ros.localizer import Estimate, Localizer
from posemap_ros.messages.camera_info import camera_of
from posemap_ros.messages.image_message import UnsupportedImage, to_rgb
from posemap_ros.node import messages
from posemap_ros.node.fix import Fix
from posemap_ros.node.frames import base_in_map, covariance_of_base
from posemap_ros.node.meters import Stopwatches
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.stamps import FrameRefused
from posemap_ros.verification.image_quality import objection as objection_to_image

# What makes an image unusable, each with a sentence for the user.
UNUSABLE = (FrameRefused, UnsupportedImage, InvalidCamera, CameraMismatch)


class NothingToSee(FrameRefused):
    """An image that shows no place: dark, covered, overexposed or blurred."""


@dataclass
class Sighting:
    """One image and what is known of it so far."""

    header: Header
    image: np.ndarray  # uint8 RGB [H, W, 3], as the camera took it
    camera: Camera
    camera_frame: str
    estimate: Estimate
    T_odom_base: np.ndarray | None = None
    T_base_cam: np.ndarray = field(default_factory=lambda: np.eye(4))

    @property
    def stamp(self) -> Time:
        """When it was taken."""
        return Time.from_msg(self.header.stamp)

    @property
    def seconds(self) -> float:
        """When it was taken."""
        return self.stamp.nanoseconds * 1e-9

    def fix(self, T_map_cam: np.ndarray, covariance: np.ndarray) -> Fix:
        """Where the robot was, if the camera was there."""
        return Fix(
            self.seconds,
            base_in_map(T_map_cam, self.T_base_cam),
            covariance_of_base(covariance, T_map_cam, self.T_base_cam),
            self.T_odom_base,
        )

    def quick_fix(self) -> Fix:
        """Where the robot was by the network."""
        return self.fix(self.estimate.T_map_cam, self.estimate.covariance)


class Observer:
    """Decodes images, and asks the network where they were taken.

    Args:
        localizer: the network.
        parameters: the node's.
        stages: told how long each took.
    """

    def __init__(self, localizer: Localizer, parameters: Parameters, stages: Stopwatches) -> None:
        self._localizer, self._p, self._stages = localizer, parameters, stages
        self._camera_info: CameraInfo | None = None

    def take_camera_info(self, info: CameraInfo) -> None:
        """The calibration that holds for the images from now on."""
        self._camera_info = info

    def look_at(self, message: Image | CompressedImage) -> Sighting:
        """What the network says of an image. Raises one of `UNUSABLE`."""
        camera_frame = self._p.camera_frame or message.header.frame_id
        if not camera_frame:
            raise FrameRefused(
                'its header has no frame_id: set the parameter camera_frame to the optical frame'
            )
        with self._stages.time('decode'):
            image = to_rgb(message)
        camera = self._camera_of(image)
        with self._stages.time('prepare'):
            if self._p.check_image and (objection := self._objection_to(image)):
                raise NothingToSee(objection)
            prepared = self._localizer.prepare(image, camera)
        with self._stages.time('network'):
            estimate = self._localizer.estimate(prepared)
        if not messages.is_pose(estimate.T_map_cam):
            raise FrameRefused('the network gave a pose that is not finite')
        return Sighting(message.header, image, camera, camera_frame, estimate)

    def _objection_to(self, image: np.ndarray) -> str:
        """As the camera took it: prepared, it may have borders that its camera did not see."""
        width = self._localizer.network_camera.width
        height = max(1, round(width * image.shape[0] / image.shape[1]))
        return objection_to_image(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))

    def _camera_of(self, image: np.ndarray) -> Camera:
        """The camera that took the image."""
        height, width = image.shape[:2]
        if self._p.assume_training_camera:
            return self._localizer.environment.camera.resized(width, height)
        if self._camera_info is None:
            raise FrameRefused(
                'no camera_info has arrived yet: remap camera_info to that of the camera, or, if '
                'the environment was trained with it, set assume_training_camera to true'
            )
        camera = camera_of(self._camera_info, self._p.image_rectified)
        if (camera.width, camera.height) != (width, height):
            raise FrameRefused(
                f'it has {width}x{height} pixels, but camera_info describes '
                f'{camera.width}x{camera.height}: both must come from the same camera'
            )
        return camera
