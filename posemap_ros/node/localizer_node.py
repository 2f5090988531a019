"""The ROS 2 node: images in; poses, TF and diagnostics out; refine and reset as services.

Decisions live elsewhere: what a pose is in posemap_ros.localizer, whether to believe it in gate,
what follows for TF in frames. Here they are wired to topics, one init function per concern.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from posemap_ros.camera import Camera, CameraMismatch, InvalidCamera
from posemap_ros.environment import InvalidEnvironment
from posemap_ros.localizer import Estimate, Localizer
from posemap_ros.messages.camera_info import camera_of
from posemap_ros.messages.image_message import UnsupportedImage, to_rgb
from posemap_ros.node import diagnostics, messages
from posemap_ros.node.frame_buffer import FrameBuffer
from posemap_ros.node.frames import TfMode, base_in_map, covariance_of_base, odom_in_map
from posemap_ros.node.gate import Gate, Limits, State
from posemap_ros.node.parameters import InvalidParameter, Parameters
from posemap_ros.node.pose_output import PoseOutput
from posemap_ros.node.refine_worker import RefineJob
from posemap_ros.node.refinement import RefineFailed, Refinement
from posemap_ros.node.reminder import Reminder
from posemap_ros.node.stamps import FrameRefused, StampCheck
from posemap_ros.node.tf import Correction, NoTransform, TfReader
from posemap_ros.support.resources import share_folder

# Only the newest image matters, and best effort matches every publisher. With a 100 ms network, a
# queue of one gave a median latency of 124 ms, the usual ten 426 ms.
_SENSOR_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class _View:
    """An image and where it was taken: what the picture of the PoseMap is rendered for."""

    image: np.ndarray
    camera: Camera
    T_map_cam: np.ndarray
    header: Header


class LocalizerNode(Node):
    """Raises `InvalidParameter` or `InvalidEnvironment` when it cannot start."""

    def __init__(self) -> None:
        super().__init__('posemap')
        self.parameters = Parameters(self)
        self._init_localizer()
        self._init_state()
        self._init_transforms()
        self._init_publishers()
        self._init_subscriptions()
        self._init_services()
        self._init_timers()
        self.get_logger().info(f'ready: waiting for images on {self._image_topic}')

    # ---- set-up, one concern each

    def _init_localizer(self) -> None:
        p = self.parameters
        if p.torch_threads:
            torch.set_num_threads(p.torch_threads)
        folder = p.environment or share_folder() / 'demo' / 'environment'
        self._environment = Path(folder).expanduser().resolve()
        revision = None if p.revision < 0 else p.revision
        try:
            self._localizer = Localizer(self._environment, p.device, revision)
        except InvalidEnvironment:
            raise
        except ValueError as error:  # the device is not there
            raise InvalidParameter(str(error)) from None
        # The first inference sets buffers and kernels up, which no image should have to wait for.
        camera = self._localizer.network_camera
        self._localizer.localize(np.zeros((camera.height, camera.width, 3), np.uint8), camera)
        self.get_logger().info(
            f'environment {self._environment}, revision {self._localizer.revision}'
        )

    def _init_state(self) -> None:
        p = self.parameters
        self._reminder = Reminder()
        self._camera_info: CameraInfo | None = None
        self._stamps = StampCheck()
        self._frames = FrameBuffer(p.refine_frames, p.refine_horizon)
        self._refinement = Refinement()
        self._weights_lock = threading.Lock()
        self._resets = 0
        self._gate = Gate(p.gate_window)
        self._epoch = 0  # how often time started anew
        self._epoch_lock = threading.Lock()
        self._estimate: Estimate | None = None
        self._last_accepted: Time | None = None
        self._view: _View | None = None
        self._received, self._accepted = diagnostics.Rate(), diagnostics.Rate()
        self._input_problem = self._rejection = ''

    def _init_transforms(self) -> None:
        p = self.parameters
        self._mode = TfMode(p.tf_mode)
        self._tf = TfReader(self)
        self._correction = Correction(self, p.map_frame)
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
            ),
            post_callback=self._on_time_jump,
        )

    def _init_publishers(self) -> None:
        p = self.parameters
        self._output = PoseOutput(self, p.map_frame, p.path_length)
        self._posemap_image = self.create_publisher(Image, '~/posemap_image', 1)
        # The one name that every robot's diagnostics have, in whatever namespace.
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def _init_subscriptions(self) -> None:
        compressed = self.parameters.image_transport == 'compressed'
        # Images in a group of their own: nothing else waits for the network, nor it for anything.
        image = self.create_subscription(
            CompressedImage if compressed else Image,
            'image/compressed' if compressed else 'image',
            self._on_image,
            _SENSOR_QOS,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )
        self._image_topic = image.topic_name
        self.create_subscription(CameraInfo, 'camera_info', self._on_camera_info, _SENSOR_QOS)
        self.create_subscription(
            PoseWithCovarianceStamped, 'initialpose', self._on_initial_pose, 1
        )

    def _init_services(self) -> None:
        # Re-entrant, so that a second call is refused at once instead of waiting for the first.
        group = ReentrantCallbackGroup()
        self.create_service(Trigger, '~/refine', self._on_refine, callback_group=group)
        self.create_service(Trigger, '~/reset', self._on_reset, callback_group=group)

    def _init_timers(self) -> None:
        p = self.parameters
        if self._mode is TfMode.MAP_TO_ODOM:
            # On ROS time: while simulated time stands still, so does TF.
            self.create_timer(1 / p.tf_rate, self._send_correction_again)
        # The others on a clock that never stops: who looks for what is wrong needs them then.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        self.create_timer(0.5, self._output.publish_path, clock=steady)
        self.create_timer(
            1 / p.posemap_rate,
            self._publish_posemap_image,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=steady,
        )

    def stop(self) -> None:
        """End what would keep the process alive."""
        self._refinement.cancel('the node is shutting down')

    # ---- from an image to a pose

    def _on_camera_info(self, info: CameraInfo) -> None:
        self._camera_info = info

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._received.tick()
        try:
            self._localize(message)
            self._input_problem = ''
        except (FrameRefused, UnsupportedImage, InvalidCamera, CameraMismatch) as error:
            self._input_problem = str(error)
            self._warn_now_and_then(f'image not used: {error}')

    def _localize(self, message: Image | CompressedImage) -> None:
        stamp = Time.from_msg(message.header.stamp)
        now = self.get_clock().now()
        epoch = self._epoch
        back = self._stamps.check(
            stamp.nanoseconds, now.nanoseconds, self.parameters.max_image_age
        )
        if back:
            self._start_anew(f'the stamps of the images went back by {back:.1f} s')
            epoch = self._epoch
        camera_frame = self.parameters.camera_frame or message.header.frame_id
        if not camera_frame:
            raise FrameRefused(
                'its header has no frame_id: set the parameter camera_frame to the optical frame'
            )
        image = to_rgb(message)
        camera = self._camera_of(image)
        estimate = self._localizer.localize(image, camera)
        if not messages.is_pose(estimate.T_map_cam):
            raise FrameRefused('the network gave a pose that is not finite')
        self._estimate = estimate

        T_odom_base = self._odometry_at(stamp)
        with self._unless_time_started_anew(epoch):
            seconds = stamp.nanoseconds * 1e-9
            if self._frames.wants(seconds, T_odom_base):
                prepared = self._localizer.prepare(image, camera)
                self._frames.add(seconds, prepared, T_odom_base)

        T_base_cam = self._mounting(camera_frame, stamp)
        T_map_base = base_in_map(estimate.T_map_cam, T_base_cam)
        with self._unless_time_started_anew(epoch):
            self._rejection = self._gate.judge(
                T_map_base,
                T_odom_base,
                estimate.sigma_translation_m,
                estimate.sigma_rotation_deg,
                self._limits(),
            )
            if self._rejection:
                self._output.publish_rejected(T_map_base, message.header.stamp)
                self._warn_now_and_then(f'fix rejected: {self._rejection}')
                return
            self._accepted.tick()
            self._last_accepted = self.get_clock().now()
            self._view = _View(image, camera, estimate.T_map_cam, message.header)
            covariance = covariance_of_base(estimate.covariance, estimate.T_map_cam, T_base_cam)
            self._output.publish_accepted(
                T_map_base, covariance, message.header.stamp, self.parameters.path_spacing
            )
            self._broadcast(T_map_base, T_odom_base, camera_frame, stamp)

    @contextmanager
    def _unless_time_started_anew(self, epoch: int) -> Iterator[None]:
        """Keep time as it is, so that an image of before a jump leaves no trace after it."""
        with self._epoch_lock:
            if self._epoch != epoch:
                raise FrameRefused('time started anew while it was being localized')
            yield

    def _camera_of(self, image: np.ndarray) -> Camera:
        """The camera that took the image."""
        height, width = image.shape[:2]
        p = self.parameters
        if p.assume_training_camera:
            return self._localizer.environment.camera.resized(width, height)
        if self._camera_info is None:
            raise FrameRefused(
                'no camera_info has arrived yet: remap camera_info to that of the camera, or, if '
                'the environment was trained with it, set assume_training_camera to true'
            )
        camera = camera_of(self._camera_info, p.image_rectified)
        if (camera.width, camera.height) != (width, height):
            raise FrameRefused(
                f'it has {width}x{height} pixels, but camera_info describes '
                f'{camera.width}x{camera.height}: both must come from the same camera'
            )
        return camera

    def _odometry_at(self, stamp: Time) -> np.ndarray | None:
        """``T_odom_base``, or None for a robot without odometry."""
        if self._mode in (TfMode.MAP_TO_BASE, TfMode.MAP_TO_CAMERA):
            return None
        p = self.parameters
        try:
            return self._tf.lookup(p.odom_frame, p.base_frame, stamp, p.transform_wait)
        except NoTransform as error:
            if self._mode is TfMode.MAP_TO_ODOM:
                self._warn_now_and_then(
                    f'map->odom is not sent, because odometry is missing on TF ({error}); for a '
                    'robot without odometry, set tf_mode to map_to_base'
                )
            return None

    def _mounting(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """``T_base_cam``: how the camera is mounted on the frame whose pose is published."""
        if self._mode is TfMode.MAP_TO_CAMERA:
            return np.eye(4)
        p = self.parameters
        try:
            return self._tf.lookup(p.base_frame, camera_frame, stamp, p.transform_wait)
        except NoTransform as error:
            raise FrameRefused(
                f'TF does not say how the camera is mounted ({error}): run robot_state_publisher '
                f'or a static_transform_publisher from {p.base_frame} to {camera_frame}; for a '
                'camera on its own, set tf_mode to map_to_camera'
            ) from None

    def _limits(self) -> Limits:
        p = self.parameters
        return Limits(
            p.max_sigma_translation,
            p.max_sigma_rotation,
            p.max_disagreement_translation,
            p.max_disagreement_rotation,
        )

    # ---- out

    def _broadcast(
        self,
        T_map_base: np.ndarray,
        T_odom_base: np.ndarray | None,
        camera_frame: str,
        stamp: Time,
    ) -> None:
        p = self.parameters
        if self._mode is TfMode.MAP_TO_ODOM and T_odom_base is not None:
            T_map_odom = odom_in_map(T_map_base, T_odom_base)
            self._correction.update(T_map_odom, p.odom_frame, p.transform_tolerance)
        elif self._mode is TfMode.MAP_TO_BASE:
            self._place(T_map_base, p.base_frame, p.odom_frame, stamp)
        elif self._mode is TfMode.MAP_TO_CAMERA:
            self._place(T_map_base, camera_frame, p.base_frame, stamp)

    def _place(self, T: np.ndarray, child: str, other_parent: str, stamp: Time) -> None:
        """Put a frame into the map, unless something else is its parent already."""
        if child != other_parent and self._tf.knows(other_parent, child):
            self._warn_now_and_then(
                f'{child} is not placed in the map, because TF connects it with {other_parent}, '
                'and a second parent would cut it off from there: use another tf_mode'
            )
            return
        self._correction.send_once(T, child, stamp)

    def _send_correction_again(self) -> None:
        p = self.parameters
        self._correction.send_again(p.transform_tolerance, p.fix_timeout)

    def _publish_posemap_image(self) -> None:
        view, self._view = self._view, None
        if view is None or not self._posemap_image.get_subscription_count():
            return
        left = self._localizer.prepare(view.image, view.camera)
        height, width = left.shape[:2]
        right = cv2.resize(
            self._localizer.posemap_image(view.T_map_cam),
            (width, height),
            interpolation=cv2.INTER_NEAREST,
        )
        self._posemap_image.publish(messages.rgb_image(np.hstack([left, right]), view.header))

    def _publish_diagnostics(self) -> None:
        name = self.get_fully_qualified_name().strip('/')
        estimate, age, state = self._estimate, self._seconds_since_fix(), self._state()
        localization = {
            'state': state.value,
            'age of last fix [s]': 'none yet' if age is None else age,
            'poses [Hz]': self._accepted(),
            'revision': self._localizer.revision,
        }
        if estimate is not None:
            localization |= {
                'inference [ms]': estimate.inference_ms,
                'predicted sigma [m]': estimate.sigma_translation_m,
                'predicted sigma [deg]': estimate.sigma_rotation_deg,
            }
        rate = self._received()
        if not rate:
            self._warn_now_and_then(f'no images arrive on {self._image_topic}')
        source = {'images [Hz]': rate, 'topic': self._image_topic}
        memory = {
            'frames kept': len(self._frames),
            'memory [MB]': diagnostics.resident_megabytes(),
        }
        if torch.cuda.is_available():
            memory['GPU memory [MB]'] = torch.cuda.memory_allocated() / 1e6
        self._diagnostics.publish(
            diagnostics.array(
                [
                    diagnostics.localization_status(name, state, self._rejection, localization),
                    diagnostics.input_status(name, rate, self._input_problem, source),
                    diagnostics.refine_status(name, self._refinement.status, memory),
                ],
                self.get_clock().now(),
            )
        )

    def _seconds_since_fix(self) -> float | None:
        last = self._last_accepted
        return None if last is None else (self.get_clock().now() - last).nanoseconds * 1e-9

    def _state(self) -> State:
        age = self._seconds_since_fix()
        if age is not None and age > self.parameters.fix_timeout:
            return State.LOST
        return self._gate.state

    # ---- services and other input

    def _on_refine(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        p, log = self.parameters, self.get_logger()
        images = self._frames.images()
        if not self._refinement.running and len(images) < p.refine_min_frames:
            response.message = (
                f'only {len(images)} different frames were seen so far, refine needs '
                f'{p.refine_min_frames} (refine_min_frames): drive the robot around a little'
            )
            return response
        resets = self._resets
        try:
            job = RefineJob(
                environment=str(self._environment),
                revision=self._localizer.revision,
                device=p.device,
                threads=p.refine_threads,
                seconds=p.refine_seconds,
            )
            result = self._refinement.run(job, images, p.refine_timeout, self._log_progress)
        except RefineFailed as error:
            response.message = f'refine failed, nothing was changed: {error}'
            log.warning(response.message)
            return response
        response.message = result.reason
        if result.accepted:
            with self._weights_lock:
                if self._resets == resets:
                    self._localizer.load_revision(result.revision)
                    response.success = True
                else:
                    response.message = f'not used, because reset was called: {result.reason}'
        log.info(f'refine on {len(images)} frames: {response.message}')
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        with self._weights_lock:
            self._resets += 1
            before = self._localizer.revision
            self._localizer.load_revision(0)
        self._refinement.cancel('reset was called')
        response.success = True
        response.message = (
            f'back to the base weights, from revision {before}; it stays on disk, and is used '
            'again when the node is restarted without revision:=0'
            if before
            else 'already at the base weights'
        )
        self.get_logger().info(response.message)
        return response

    def _on_initial_pose(self, message: PoseWithCovarianceStamped) -> None:
        """The network needs no first guess, but whoever gives one says the history is wrong."""
        frame, map_frame = message.header.frame_id, self.parameters.map_frame
        if frame.lstrip('/') != map_frame:
            self.get_logger().warning(f'initialpose is in {frame!r}, not {map_frame!r}: ignored')
            return
        with self._epoch_lock:
            self._gate.clear()
        self.get_logger().info('initialpose: the next fix is judged without the earlier ones')

    def _on_time_jump(self, jump: TimeJump) -> None:
        self._start_anew(f'time went back by {-jump.delta.nanoseconds * 1e-9:.1f} s')

    def _start_anew(self, why: str) -> None:
        """Forget all that is tied to a time which is no more."""
        self.get_logger().warning(f'{why}: history, path, frames and transforms are cleared')
        with self._epoch_lock:
            self._epoch += 1
            self._gate.clear()
            self._stamps.clear()
            self._last_accepted = self._view = None
            self._output.clear()
            self._frames.clear()
            self._tf.clear()
            self._correction.clear()

    def _log_progress(self, fraction: float, text: str) -> None:
        if self._reminder.is_due(text):
            self.get_logger().info(f'refine: {100 * fraction:.0f} %, {text}')

    def _warn_now_and_then(self, sentence: str) -> None:
        if self._reminder.is_due(sentence):
            self.get_logger().warning(sentence)
