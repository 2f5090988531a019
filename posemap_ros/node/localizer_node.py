"""The ROS 2 node: images in; poses, TF and diagnostics out; refine and reset as services.

Decisions live elsewhere: what a pose is in localizer.py, whether to believe it in gate.py, what follows for TF in
frames.py. Here they are wired to topics, one init function per concern.
"""

from __future__ import annotations

import functools
import re
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from ament_index_python.packages import PackageNotFoundError, get_package_share_path
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Path as PathMessage
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from posemap_ros.camera import Camera, CameraMismatch, InvalidCamera
from posemap_ros.camera_info import camera_of
from posemap_ros.localizer import Estimate, Localizer
from posemap_ros.node import diagnostics, images, messages
from posemap_ros.node.frame_buffer import FrameBuffer
from posemap_ros.node.frames import TfMode, base_in_map, covariance_of_base, odom_in_map
from posemap_ros.node.gate import Gate, Limits, State
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.refinement import RefineFailed, Refinement
from posemap_ros.node.tf import Correction, NoTransform, TfReader

# Only the newest image matters, and best effort matches every publisher. With a 100 ms network, a queue of
# one gave a median latency of 124 ms, the usual ten 426 ms.
_SENSOR_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# Whoever comes late (RViz, a restarted planner) gets the last pose at once.
_LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_REMIND_SECONDS = 10.0
# Stamps that go back by less are images out of order; by more, a bag that started again.
_OUT_OF_ORDER_SECONDS = 1.0


class FrameRefused(ValueError):
    """An image that cannot become a pose, with the reason as a sentence."""


@dataclass(frozen=True)
class _View:
    """An image and where it was taken: what the picture of the PoseMap is rendered for."""

    image: np.ndarray
    camera: Camera
    T_map_cam: np.ndarray
    header: Header


class LocalizerNode(Node):
    """See the module. Raises `InvalidParameter` and `InvalidEnvironment` when it cannot start."""

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
        folder = Path(p.environment).expanduser() if p.environment else demo_environment()
        self._environment = folder.resolve()
        self._localizer = Localizer(
            self._environment,
            device=p.device,
            revision=None if p.revision < 0 else p.revision,
        )
        self._weights_lock = threading.Lock()
        self._resets = 0
        # The first inference sets buffers and kernels up, which no frame should have to wait for.
        camera = self._localizer.network_camera
        self._localizer.localize(np.zeros((camera.height, camera.width, 3), np.uint8), camera)
        self.get_logger().info(
            f'environment {self._environment}, revision {self._localizer.revision}'
        )

    def _init_state(self) -> None:
        p = self.parameters
        self._state_lock = threading.Lock()
        self._camera_info: CameraInfo | None = None
        self._gate = Gate(p.gate_window)
        self._frames = FrameBuffer(p.refine_frames, p.refine_horizon)
        self._path: deque[PoseStamped] = deque(maxlen=p.path_length)
        self._path_is_new = False
        self._last_stamp_ns = 0
        self._last_accepted: Time | None = None
        self._estimate: Estimate | None = None
        self._view: _View | None = None
        self._refinement = Refinement()
        self._received, self._published = diagnostics.Rate(), diagnostics.Rate()
        self._input_problem = self._rejection = ''
        self._reminded: dict[str, float] = {}
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
            ),
            post_callback=self._on_time_jump,
        )

    def _init_transforms(self) -> None:
        p = self.parameters
        self._mode = TfMode(p.tf_mode)
        self._tf = TfReader(self)
        self._correction = Correction(self, p.map_frame)

    def _init_publishers(self) -> None:
        self._pose = self.create_publisher(PoseStamped, '~/pose', _LATCHED_QOS)
        self._pose_with_covariance = self.create_publisher(
            PoseWithCovarianceStamped, '~/pose_with_covariance', _LATCHED_QOS
        )
        self._path_publisher = self.create_publisher(PathMessage, '~/path', _LATCHED_QOS)
        self._posemap_image = self.create_publisher(Image, '~/posemap_image', 1)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)

    def _init_subscriptions(self) -> None:
        compressed = self.parameters.image_transport == 'compressed'
        # Images in a group of their own: nothing else waits for the network, nor the network for anything.
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
            # On ROS time: when simulated time stands still, so does TF.
            self.create_timer(1 / p.tf_rate, self._send_correction_again)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._publish_diagnostics, clock=steady)
        self.create_timer(0.5, self._publish_path, clock=steady)
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
        except (
            FrameRefused,
            NoTransform,
            images.UnsupportedImage,
            InvalidCamera,
            CameraMismatch,
        ) as error:
            self._input_problem = str(error)
            self._remind(f'image not used: {error}')

    def _localize(self, message: Image | CompressedImage) -> None:
        stamp = Time.from_msg(message.header.stamp)
        self._check_stamp(stamp)
        camera_frame = self.parameters.camera_frame or message.header.frame_id
        if not camera_frame:
            raise FrameRefused(
                'its header has no frame_id: set the parameter camera_frame to the optical frame'
            )
        image = images.to_rgb(message)
        camera = self._camera_of(image)
        estimate = self._localizer.localize(image, camera)
        if not messages.is_pose(estimate.T_map_cam):
            raise FrameRefused('the network gave a pose that is not finite')
        self._estimate = estimate

        T_odom_base = self._odometry_at(stamp)
        seconds = stamp.nanoseconds * 1e-9
        if self._frames.wants(seconds, T_odom_base):
            self._frames.add(seconds, self._localizer.prepare(image, camera), T_odom_base)

        T_base_cam = self._mounting(camera_frame, stamp)
        T_map_base = base_in_map(estimate.T_map_cam, T_base_cam)
        now = self.get_clock().now()
        with self._state_lock:
            self._rejection = self._gate.judge(
                T_map_base,
                T_odom_base,
                estimate.sigma_translation_m,
                estimate.sigma_rotation_deg,
                self._limits(),
            )
            if not self._rejection:
                self._last_accepted = now
                self._view = _View(image, camera, estimate.T_map_cam, message.header)
        covariance = covariance_of_base(estimate.covariance, estimate.T_map_cam, T_base_cam)
        self._publish_pose(T_map_base, covariance, stamp)
        if self._rejection:
            self._remind(f'fix rejected: {self._rejection}')
        else:
            self._broadcast(T_map_base, T_odom_base, camera_frame, stamp)

    def _check_stamp(self, stamp: Time) -> None:
        """Refuse what cannot be placed in time, and notice when time starts anew."""
        if not stamp.nanoseconds:
            raise FrameRefused(
                'its stamp is zero, so its pose could not be used with anything else: let the '
                'driver stamp its images'
            )
        now = self.get_clock().now()
        if not now.nanoseconds:
            raise FrameRefused(
                'use_sim_time is true and nothing was published on /clock yet: start the '
                'simulation, or `ros2 bag play --clock`'
            )
        age = (now - stamp).nanoseconds * 1e-9
        limit = self.parameters.max_image_age
        if limit and age > limit:
            raise FrameRefused(
                f'it is {age:.1f} s old, more than max_image_age ({limit:g} s): for a bag, play '
                'with --clock and set use_sim_time; for a live camera, look at its clock'
            )
        if limit and age < -limit:
            raise FrameRefused(
                f'it is {-age:.1f} s in the future: the clocks of the computers differ, or only '
                'one side uses simulated time'
            )
        back = (self._last_stamp_ns - stamp.nanoseconds) * 1e-9
        if back > _OUT_OF_ORDER_SECONDS:
            self._start_anew(f'the stamps of the images went back by {back:.1f} s')
        elif back >= 0:
            raise FrameRefused('it is not newer than the one before')
        self._last_stamp_ns = stamp.nanoseconds

    def _camera_of(self, image: np.ndarray) -> Camera:
        """The camera that took the image."""
        height, width = image.shape[:2]
        p = self.parameters
        if p.assume_training_camera:
            return self._localizer.environment.camera.resized(width, height)
        if self._camera_info is None:
            raise FrameRefused(
                'no camera_info has arrived yet: remap camera_info to the topic of the camera, or, '
                'if the environment was trained with it, set assume_training_camera to true'
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
                self._remind(
                    f'map->odom is not sent, because odometry is missing on TF: {error} For a '
                    'robot without odometry, set tf_mode to map_to_base'
                )
            return None

    def _mounting(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """``T_base_cam``: how the camera is mounted on the frame whose pose is published."""
        if self._mode is TfMode.MAP_TO_CAMERA:
            return np.eye(4)
        base_frame = self.parameters.base_frame
        try:
            return self._tf.lookup(base_frame, camera_frame, stamp, self.parameters.transform_wait)
        except NoTransform as error:
            raise FrameRefused(
                f'TF does not say how the camera is mounted: {error} Run robot_state_publisher or '
                f'a static_transform_publisher from {base_frame} to {camera_frame}; for a camera '
                'on its own, set tf_mode to map_to_camera'
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

    def _publish_pose(self, T_map_base: np.ndarray, covariance: np.ndarray, stamp: Time) -> None:
        """Accepted fixes on every topic; rejected ones only where a covariance can say so."""
        frame, stamp = self.parameters.map_frame, stamp.to_msg()
        if self._rejection:
            covariance = messages.LOST_COVARIANCE
        self._pose_with_covariance.publish(
            messages.pose_with_covariance(T_map_base, covariance, frame, stamp)
        )
        if self._rejection:
            return
        pose = messages.pose_stamped(T_map_base, frame, stamp)
        self._pose.publish(pose)
        self._published.tick()
        with self._state_lock:
            if self._path:
                last = self._path[-1].pose.position
                here = pose.pose.position
                moved = np.hypot(np.hypot(here.x - last.x, here.y - last.y), here.z - last.z)
            if not self._path or moved >= self.parameters.path_spacing:
                self._path.append(pose)
                self._path_is_new = True

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
            self._place(T_map_base, p.base_frame, p.odom_frame, stamp, 'map_to_odom')
        elif self._mode is TfMode.MAP_TO_CAMERA:
            self._place(T_map_base, camera_frame, p.base_frame, stamp, 'map_to_base or map_to_odom')

    def _place(
        self, T: np.ndarray, child: str, other_parent: str, stamp: Time, instead: str
    ) -> None:
        """Put a frame into the map that must not have a parent yet."""
        if child != other_parent and self._tf.knows(other_parent, child):
            self._remind(
                f'{child} is not placed in the map, because TF connects it with {other_parent}, '
                f'and a second parent would cut it off from there: set tf_mode to {instead}'
            )
            return
        self._correction.send_once(T, child, stamp)

    def _send_correction_again(self) -> None:
        p = self.parameters
        self._correction.send_again(p.transform_tolerance, p.fix_timeout)

    def _publish_path(self) -> None:
        if not self._path_is_new or not self._path_publisher.get_subscription_count():
            return
        with self._state_lock:
            self._path_is_new = False
            poses = list(self._path)
        header = Header(frame_id=self.parameters.map_frame)
        if poses:
            header.stamp = poses[-1].header.stamp
        self._path_publisher.publish(PathMessage(header=header, poses=poses))

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
        self._posemap_image.publish(images.from_rgb(np.hstack([left, right]), view.header))

    def _publish_diagnostics(self) -> None:
        name = self.get_fully_qualified_name().strip('/')
        estimate, age = self._estimate, self._seconds_since_fix()
        localization = {
            'state': self._state().value,
            'age of last fix [s]': 'none yet' if age is None else age,
            'poses [Hz]': self._published(),
            'revision': self._localizer.revision,
            'path [poses]': len(self._path),
        }
        if estimate is not None:
            localization |= {
                'inference [ms]': estimate.inference_ms,
                'predicted sigma [m]': estimate.sigma_translation_m,
                'predicted sigma [deg]': estimate.sigma_rotation_deg,
            }
        rate = self._received()
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
                    diagnostics.localization_status(
                        name, self._state(), self._rejection, localization
                    ),
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
        p = self.parameters
        if not self._refinement.running and len(self._frames) < p.refine_min_frames:
            response.message = (
                f'only {len(self._frames)} different frames were seen so far, refine needs '
                f'{p.refine_min_frames} (refine_min_frames): drive the robot around a little'
            )
            return response
        resets = self._resets
        log = self.get_logger()
        try:
            images = self._frames.images()
            result = self._refinement.run(
                self._environment,
                images,
                device=p.device,
                threads=p.refine_threads,
                seconds=p.refine_seconds,
                timeout=p.refine_timeout,
                progress=lambda fraction, text: self._remind(f'refine: {text}', log.info),
            )
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
                    response.message = f'reset was called meanwhile, not used: {result.reason}'
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
            f'back to the base weights, from revision {before}' if before else 'already at the base weights'
        )
        self.get_logger().info(response.message)
        return response

    def _on_initial_pose(self, message: PoseWithCovarianceStamped) -> None:
        """The network needs no first guess; but whoever gives one says that the history is wrong."""
        map_frame = self.parameters.map_frame
        if message.header.frame_id.lstrip('/') != map_frame:
            self.get_logger().warning(
                f'initialpose ignored: it is in frame {message.header.frame_id!r}, not {map_frame!r}'
            )
            return
        with self._state_lock:
            self._gate.clear()
        self.get_logger().info('initialpose: the next fix is judged without regard to earlier ones')

    def _on_time_jump(self, jump: TimeJump) -> None:
        self._start_anew(f'time went back by {-jump.delta.nanoseconds * 1e-9:.1f} s')

    def _start_anew(self, why: str) -> None:
        """Forget all that is tied to a time which is no more."""
        self.get_logger().warning(f'{why}: history, path, frames and transforms are cleared')
        with self._state_lock:
            self._gate.clear()
            self._path.clear()
            self._path_is_new = True
            self._last_stamp_ns = 0
            self._last_accepted = None
            self._view = None
        self._frames.clear()
        self._tf.clear()
        self._correction.clear()

    def _remind(self, text: str, log=None) -> None:
        """Say it now, and again in ten seconds; the same with other figures is the same."""
        kind = re.sub(r'[\d.]+', '#', text)
        now = time.monotonic()
        if now - self._reminded.get(kind, -_REMIND_SECONDS) >= _REMIND_SECONDS:
            self._reminded[kind] = now
            (log or self.get_logger().warning)(text)


@functools.cache
def demo_environment() -> Path:
    """The environment that ships with the package, installed or in a checkout."""
    try:
        installed = get_package_share_path('posemap_ros') / 'demo' / 'environment'
        if installed.is_dir():
            return installed
    except PackageNotFoundError:
        pass
    return Path(__file__).resolve().parents[2] / 'demo' / 'environment'
