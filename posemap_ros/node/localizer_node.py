"""The ROS 2 node: images in; poses, TF and diagnostics out; refine and reset as services.

Here everything is wired to topics. Callbacks only hand things on: the executor has one thread, and
whatever takes longer than a moment is a worker's. (rclpy's MultiThreadedExecutor hands a ready
callback to its pool again and again until a thread takes it; on some machines that keeps Python's
lock so busy that the network starves.)

The node is managed (lifecycle): configuring loads the environment, activating joins the topics.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from posemap_ros.localizer import Localizer
from posemap_ros.map_view.place import Place
from posemap_ros.node import diagnostics
from posemap_ros.node.broadcast import Broadcast
from posemap_ros.node.floor import Planar
from posemap_ros.node.frame_buffer import FrameBuffer
from posemap_ros.node.frames import TfMode
from posemap_ros.node.localization import (
    VERIFYING_NICENESS,
    Localization,
    load_planar,
    load_verifier,
)
from posemap_ros.node.map_output import MapOutput
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.picture_output import PictureOutput
from posemap_ros.node.pose_output import PoseOutput
from posemap_ros.node.reminder import Reminder
from posemap_ros.node.services import WeightServices
from posemap_ros.node.tf import TfReader
from posemap_ros.node.worker import Worker
from posemap_ros.support.printable import printable
from posemap_ros.support.resources import share_folder
from posemap_ros.verification.verifier import Verifier

# Only the newest image matters, and best effort matches every publisher. With a 100 ms network, a
# queue of one gave a median latency of 124 ms, the usual ten 426 ms.
_SENSOR_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_RELIABLE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class LocalizerNode(LifecycleNode):
    """Takes rclpy's options of a node. Raises `InvalidParameter` when it is started with values
    that it cannot use.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('posemap', **options)
        self.parameters = Parameters(self)
        self._reminder = Reminder()
        self._localizer: Localizer | None = None
        self._verifier: Verifier | None = None
        self._planar: Planar | None = None
        self._place: Place | None = None
        self._active = ExitStack()  # what leaves the topics again

    # ---- lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the environment."""
        p = self.parameters
        folder = p.environment or share_folder() / 'demo' / 'environment'
        try:
            localizer = Localizer(
                Path(folder).expanduser().resolve(),
                p.device,
                None if p.revision < 0 else p.revision,
                p.torch_threads,
            )
            self._verifier = load_verifier(localizer, p)
            self._planar = load_planar(localizer, p)
            self._place = Place.of(localizer.environment)
        except Exception as error:  # rclpy would keep it to itself; each names file or device
            self.get_logger().fatal(str(error))
            return TransitionCallbackReturn.FAILURE
        # The first inference sets buffers and kernels up, which no image should have to wait for.
        camera = localizer.network_camera
        localizer.localize(np.zeros((camera.height, camera.width, 3), np.uint8), camera)
        self._localizer = localizer
        environment = localizer.environment
        if environment.warning:
            self.get_logger().warning(environment.warning)
        self.get_logger().info(
            f'environment {environment.path}, revision {localizer.revision}; {localizer.runtime}'
        )
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Join the topics."""
        try:
            with ExitStack() as stack:
                self._join(stack)
                self._active = stack.pop_all()
        except Exception as error:  # rclpy would keep it to itself
            self.get_logger().fatal(f'cannot be activated: {type(error).__name__}: {error}')
            return TransitionCallbackReturn.FAILURE
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Leave the topics; a refine that runs is stopped."""
        self.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the memory."""
        self._localizer = self._verifier = self._planar = self._place = None
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """From whatever state."""
        self.stop()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Be as before it was configured."""
        self.stop()
        self._localizer = self._verifier = self._planar = self._place = None
        return TransitionCallbackReturn.SUCCESS

    def stop(self) -> None:
        """End what would keep the process alive."""
        self._active.close()

    # ---- topics, one concern each; `leave` ends in reverse order what was joined

    def _join(self, leave: ExitStack) -> None:
        p = self.parameters
        self._frames = FrameBuffer(p.refine_frames, p.refine_horizon)
        self._join_outputs(leave)
        tf = self._join_tf(leave)
        self._broadcast = Broadcast(self, p, tf, self.warn_now_and_then)
        self._localization = Localization(
            self._localizer,
            self._verifier,
            self._planar,
            p,
            self.get_clock(),
            tf,
            self._broadcast,
            self._output,
            self._frames,
            self.warn_now_and_then,
        )
        self._weights = WeightServices(
            self, p, self._localization, self._frames, self._reminder
        )
        leave.callback(self._weights.close)
        self._join_workers(leave)
        self._join_picture(leave)
        self._join_inputs(leave)
        self._join_timers(leave)
        self.get_logger().info(f'ready: waiting for images on {self._image_topic}')

    def _join_outputs(self, leave: ExitStack) -> None:
        p = self.parameters
        self._output = PoseOutput(self, p.map_frame, p.path_length)
        place = MapOutput(self, p.map_frame, self._place)
        # The one name that every robot's diagnostics have, in whatever namespace.
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        for publisher in (*self._output.publishers, *place.publishers, self._diagnostics):
            leave.callback(self.destroy_publisher, publisher)

    def _join_tf(self, leave: ExitStack) -> TfReader:
        reader = TfReader(self, self.parameters)
        leave.callback(reader.close)
        jumps = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
            ),
            post_callback=self._on_time_jump,
        )
        leave.callback(jumps.unregister)
        return reader

    def _join_workers(self, leave: ExitStack) -> None:
        on_error = self.report
        self._images = Worker('localize', self._localization.handle, on_error)
        leave.callback(self._images.stop)
        if self._localization.verifying:
            verify = Worker('verify', self._localization.verify, on_error, VERIFYING_NICENESS)
            leave.callback(verify.stop)
            self._localization.verify_with(verify.offer)

    def _join_picture(self, leave: ExitStack) -> None:
        rate = self.parameters.posemap_rate
        self._picture = PictureOutput(
            self, self._localization, self._place, rate, self.report
        )
        leave.callback(self.destroy_publisher, self._picture.publisher)
        leave.callback(self._picture.close)

    def _join_inputs(self, leave: ExitStack) -> None:
        compressed = self.parameters.image_transport == 'compressed'
        name = 'image/compressed' if compressed else 'image'
        reliable = self.parameters.image_reliability == 'reliable'
        image_qos = _RELIABLE_QOS if reliable else _SENSOR_QOS
        for kind, topic, callback, qos in (
            (CompressedImage if compressed else Image, name, self._on_image, image_qos),
            (CameraInfo, 'camera_info', self._localization.observer.take_camera_info, _SENSOR_QOS),
            (PoseWithCovarianceStamped, 'initialpose', self._on_initial_pose, 1),
        ):
            subscription = self.create_subscription(kind, topic, callback, qos)
            leave.callback(self.destroy_subscription, subscription)
        self._image_topic = self.resolve_topic_name(name)

    def _join_timers(self, leave: ExitStack) -> None:
        p = self.parameters
        # On a clock that never stops: who looks for what is wrong needs them then.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timers = [
            self.create_timer(1.0, self._publish_diagnostics, clock=steady),
            self.create_timer(0.5, self._output.publish_path, clock=steady),
            self.create_timer(1 / p.posemap_rate, self._picture.offer, clock=steady),
        ]
        if TfMode(p.tf_mode) is TfMode.MAP_TO_ODOM:
            # On ROS time: while simulated time stands still, so does TF.
            timers.append(self.create_timer(1 / p.tf_rate, self._broadcast.send_again))
        for timer in timers:
            leave.callback(self.destroy_timer, timer)

    # ---- callbacks

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._localization.received.tick()
        if self._images.offer(message):  # they come faster than they can be localized
            self._weights.give_way()

    def _on_initial_pose(self, message: PoseWithCovarianceStamped) -> None:
        """The network needs no first guess, but whoever gives one says the history is wrong."""
        frame, map_frame = message.header.frame_id, self.parameters.map_frame
        if frame.lstrip('/') != map_frame:
            self.warn_now_and_then(
                f"initialpose is in '{printable(frame)}', not '{map_frame}': ignored"
            )
            return
        self._localization.forget()
        self.get_logger().info('initialpose: the next fix is judged without the earlier ones')

    def _on_time_jump(self, jump: TimeJump) -> None:
        self._localization.start_anew(f'time went back by {-jump.delta.nanoseconds * 1e-9:.1f} s')

    def _publish_diagnostics(self) -> None:
        localization, state = self._localization, self._localization.state()
        self._output.publish_state(state)
        rate = localization.received()
        if not rate:
            self.warn_now_and_then(f'no images arrive on {self._image_topic}')
        memory = diagnostics.memory_figures(self._localizer.device) | {
            'frames kept': len(self._frames)
        }
        name = self.get_fully_qualified_name().strip('/')
        self._diagnostics.publish(
            diagnostics.array(
                [
                    diagnostics.localization_status(
                        name,
                        state,
                        localization.rejection,
                        diagnostics.localization_figures(localization, state),
                    ),
                    diagnostics.input_status(
                        name,
                        rate,
                        localization.input_problem,
                        {'images [Hz]': rate, 'topic': self._image_topic},
                    ),
                    diagnostics.refine_status(name, self._weights.status, memory),
                ],
                self.get_clock().now(),
            )
        )

    # ---- telling

    def report(self, error: Exception) -> None:
        """One bad message costs that message: say so, and go on."""
        self.warn_now_and_then(f'one message was not used: {type(error).__name__}: {error}')

    def warn_now_and_then(self, sentence: str) -> None:
        """Warn, but not thirty times a second."""
        if self._reminder.is_due(sentence):
            self.get_logger().warning(printable(sentence, 1000))
