"""What the node does while it is active: images in; poses, TF and diagnostics out.

Here everything is wired to topics. Callbacks only hand things on: the executor has one thread, and
whatever takes longer than a moment is a worker's. (rclpy's MultiThreadedExecutor hands a ready
callback to its pool again and again until a thread takes it; on some machines that keeps Python's
lock so busy that the network starves.)
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from posemap_ros.map_view.place import Place
from posemap_ros.node import diagnostics
from posemap_ros.node.broadcast import Broadcast
from posemap_ros.node.floor import Planar
from posemap_ros.node.frame_buffer import FrameBuffer
from posemap_ros.node.frames import TfMode
from posemap_ros.node.localization import VERIFYING_NICENESS, Localization
from posemap_ros.node.map_output import MapOutput
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.picture_output import PictureOutput
from posemap_ros.node.pose_output import PoseOutput
from posemap_ros.node.revision_in_use import RevisionInUse
from posemap_ros.node.services import WeightServices
from posemap_ros.node.tf import TfReader
from posemap_ros.node.worker import Worker
from posemap_ros.support.printable import printable

# Only the newest image matters, and best effort matches every publisher. With a 100 ms network, a
# queue of one gave a median latency of 124 ms, the usual ten 426 ms.
_SENSOR_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_RELIABLE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


@dataclass(frozen=True)
class Configured:
    """What the node has loaded, from configuring to cleaning up."""

    in_use: RevisionInUse
    planar: Planar | None
    place: Place | None
    frames: FrameBuffer
    weights: WeightServices


class Operation:
    """On the topics from the start, until `close`.

    Args:
        node: in whose name.
        parameters: the node's.
        configured: what works on the images.
        tf: of the node; heard only meanwhile.
        warn: tells the user a sentence, now and then.
        report: tells the user what went wrong with one message.
    """

    def __init__(
        self,
        node: Node,
        parameters: Parameters,
        configured: Configured,
        tf: TfReader,
        warn: Callable[[str], None],
        report: Callable[[Exception], None],
    ) -> None:
        self._node, self._p, self._configured = node, parameters, configured
        self._tf, self._warn, self._report = tf, warn, report
        with ExitStack() as stack:
            self._join(stack)
            self._leave = stack.pop_all()

    def close(self) -> None:
        """Leave the topics; a refine that runs is stopped."""
        self._leave.close()

    # ---- topics, one concern each; `leave` ends in reverse order what was joined

    def _join(self, leave: ExitStack) -> None:
        configured = self._configured
        self._join_outputs(leave)
        self._join_tf(leave)
        self._localization = Localization(
            configured.in_use,
            configured.planar,
            self._p,
            self._node.get_clock(),
            self._tf,
            self._broadcast,
            self._output,
            configured.frames,
            self._warn,
        )
        leave.callback(configured.frames.clear)
        configured.weights.resume()
        leave.callback(configured.weights.pause)
        self._join_workers(leave)
        self._join_picture(leave)
        self._join_inputs(leave)
        self._join_timers(leave)
        self._node.get_logger().info(f'ready: waiting for images on {self._image_topic}')

    def _join_outputs(self, leave: ExitStack) -> None:
        node, p = self._node, self._p
        self._output = PoseOutput(node, p.map_frame, p.path_length)
        place = MapOutput(node, p.map_frame, self._configured.place)
        # The one name that every robot's diagnostics have, in whatever namespace.
        self._diagnostics = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        for publisher in (*self._output.publishers, *place.publishers, self._diagnostics):
            leave.callback(node.destroy_publisher, publisher)

    def _join_tf(self, leave: ExitStack) -> None:
        self._tf.listen()
        leave.callback(self._tf.close)
        self._broadcast = Broadcast(self._node, self._p, self._tf, self._warn)
        leave.callback(self._broadcast.close)
        jumps = self._node.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
            ),
            post_callback=self._on_time_jump,
        )
        leave.callback(jumps.unregister)

    def _join_workers(self, leave: ExitStack) -> None:
        report = self._report
        self._images = Worker('localize', self._localization.handle, report)
        leave.callback(self._images.stop)
        if self._p.verification == 'as_able':
            verify = Worker('verify', self._localization.verify, report, VERIFYING_NICENESS)
            leave.callback(verify.stop)
            self._localization.verify_with(verify.offer)

    def _join_picture(self, leave: ExitStack) -> None:
        rate = self._p.posemap_rate
        self._picture = PictureOutput(
            self._node, self._localization, self._configured.place, rate, self._report
        )
        leave.callback(self._node.destroy_publisher, self._picture.publisher)
        leave.callback(self._picture.close)

    def _join_inputs(self, leave: ExitStack) -> None:
        compressed = self._p.image_transport == 'compressed'
        name = 'image/compressed' if compressed else 'image'
        reliable = self._p.image_reliability == 'reliable'
        image_qos = _RELIABLE_QOS if reliable else _SENSOR_QOS
        for kind, topic, callback, qos in (
            (CompressedImage if compressed else Image, name, self._on_image, image_qos),
            (CameraInfo, 'camera_info', self._localization.observer.take_camera_info, _SENSOR_QOS),
            (PoseWithCovarianceStamped, 'initialpose', self._on_initial_pose, 1),
        ):
            subscription = self._node.create_subscription(kind, topic, callback, qos)
            leave.callback(self._node.destroy_subscription, subscription)
        self._image_topic = self._node.resolve_topic_name(name)

    def _join_timers(self, leave: ExitStack) -> None:
        node, p = self._node, self._p
        # On a clock that never stops: who looks for what is wrong needs them then.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timers = [
            node.create_timer(1.0, self._publish_diagnostics, clock=steady),
            node.create_timer(0.5, self._output.publish_path, clock=steady),
            node.create_timer(1 / p.posemap_rate, self._picture.offer, clock=steady),
        ]
        if TfMode(p.tf_mode) is TfMode.MAP_TO_ODOM:
            # On ROS time: while simulated time stands still, so does TF.
            timers.append(node.create_timer(1 / p.tf_rate, self._broadcast.send_again))
        for timer in timers:
            leave.callback(node.destroy_timer, timer)

    # ---- callbacks

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._localization.received.tick()
        if self._images.offer(message):  # they come faster than they can be localized
            self._configured.weights.give_way()

    def _on_initial_pose(self, message: PoseWithCovarianceStamped) -> None:
        """The network needs no first guess, but whoever gives one says the history is wrong."""
        frame, map_frame = message.header.frame_id, self._p.map_frame
        if frame.lstrip('/') != map_frame:
            self._warn(f"initialpose is in '{printable(frame)}', not '{map_frame}': ignored")
            return
        self._localization.forget()
        self._node.get_logger().info(
            'initialpose: the next fix is judged without the earlier ones'
        )

    def _on_time_jump(self, jump: TimeJump) -> None:
        self._localization.start_anew(f'time went back by {-jump.delta.nanoseconds * 1e-9:.1f} s')

    def _publish_diagnostics(self) -> None:
        localization, state = self._localization, self._localization.state()
        self._output.publish_state(state)
        rate = localization.received()
        if not rate:
            self._warn(f'no images arrive on {self._image_topic}')
        memory = diagnostics.memory_figures(localization.localizer.device) | {
            'frames kept': len(self._configured.frames)
        }
        name = self._node.get_fully_qualified_name().strip('/')
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
                    diagnostics.refine_status(name, self._configured.weights.status, memory),
                ],
                self._node.get_clock().now(),
            )
        )
