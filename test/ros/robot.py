"""What surrounds the node under test: a robot that listens to all that the node says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Container
from pathlib import Path

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import (
    Pose,
    PoseStamped,
    PoseWithCovarianceStamped,
    Transform,
    Vector3,
)
from nav_msgs.msg import Path as PathMessage
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from posemap_ros.camera import Camera
from posemap_ros.node import messages

# Generous: the machine may be busy. A test that passes never waits this long.
PATIENCE_SECONDS = 120.0
CAMERA_FRAME = 'camera_optical'
# The camera looks ahead, 0.2 m in front of the base and 0.5 m above it.
T_BASE_CAM = np.array([[0, 0, 1, 0.2], [-1, 0, 0, 0], [0, -1, 0, 0.5], [0, 0, 0, 1.0]])


def wait_until(condition: Callable[[], object], what: str) -> object:
    """The condition's first true value."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f'waited {PATIENCE_SECONDS:g} s for {what}'
        time.sleep(0.02)
    return value


def remappings(namespace: str) -> list[str]:
    """What puts a node into a namespace, with a TF tree of its own, as the launch file does."""
    if not namespace:
        return []
    rules = f'__ns:=/{namespace}', '/tf:=tf', '/tf_static:=tf_static'
    return [part for rule in rules for part in ('-r', rule)]


class NodeProcess:
    """The node in a process of its own, started as launch does: executable, parameter file."""

    def __init__(
        self, log: Path, name: str = 'posemap', namespace: str = '', **parameters: object
    ) -> None:
        config = Path(__file__).parents[2] / 'config' / 'localize.yaml'
        command = [
            executable('localize'),
            '--ros-args',
            '-r',
            f'__node:={name}',
            *remappings(namespace),
            '--params-file',
            str(config),
        ]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ['-p', f'{name}:={text}']
        self._log = log
        with log.open('wb') as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors='replace')

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        pages = int(Path(f'/proc/{self.pid}/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 2**20

    def catches(self, number: signal.Signals) -> bool:
        """Whether it has a handler for a signal by now."""
        status = Path(f'/proc/{self.pid}/status').read_text()
        caught = int(status.split('SigCgt:')[1].split()[0], 16)
        return bool(caught >> (number - 1) & 1)

    def wait_for_log(self, text: str) -> None:
        """Wait until it has printed `text`."""

        def printed() -> bool:
            assert self._process.poll() is None, f'the node ended:\n{self.log}'
            return text in self.log

        wait_until(printed, f'{text!r} in the log of the node:\n{self.log}')

    def wait_for_exit(self) -> int:
        """Its exit code."""
        return self._process.wait(PATIENCE_SECONDS)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send a signal; return the exit code."""
        self._process.send_signal(how)
        return self.wait_for_exit()

    def kill(self) -> None:
        """Whatever state it is in."""
        self._process.kill()
        self._process.wait()


class Robot:
    """Publishes images with their camera_info and odometry, and keeps all that the node publishes.

    Runs in a thread of its own, so a test just calls and waits. As a context manager it goes away
    with its topics.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        mounted: bool = True,
        simulated_time: bool = False,
        namespace: str = '',
    ) -> None:
        arguments = ['--ros-args', *remappings(namespace)]
        self.node = Node('robot', cli_args=arguments if namespace else None)
        self.camera = camera
        self._clients: dict[str, Client] = {}
        self._start_outputs()
        self._start_inputs()
        if mounted:
            self.mount()
        # Simulated time is this many nanoseconds; None follows the machine.
        self.clock_ns: int | None = 1_000_000_000_000 if simulated_time else None
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self._thread.join()
        self.node.destroy_node()

    def _start_outputs(self) -> None:
        camera_qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
        create = self.node.create_publisher
        self._image = create(Image, 'image', camera_qos)
        self._compressed = create(CompressedImage, 'image/compressed', camera_qos)
        self._camera_info = create(CameraInfo, 'camera_info', camera_qos)
        self._clock = create(Clock, '/clock', 10)
        self._initialpose = create(PoseWithCovarianceStamped, 'initialpose', 1)
        self._tf = TransformBroadcaster(self.node)
        self._static = StaticTransformBroadcaster(self.node)

    def _start_inputs(self) -> None:
        self.poses: list[PoseStamped] = []
        self.poses_with_covariance: list[PoseWithCovarianceStamped] = []
        self.paths: list[PathMessage] = []
        self.posemap_images: list[Image] = []
        self.transforms: list = []  # of the node, on /tf: those in the map
        self.diagnostics: dict[str, DiagnosticStatus] = {}
        subscribe = self.node.create_subscription
        subscribe(PoseStamped, 'posemap/pose', self.poses.append, 100)
        subscribe(
            PoseWithCovarianceStamped,
            'posemap/pose_with_covariance',
            self.poses_with_covariance.append,
            100,
        )
        subscribe(PathMessage, 'posemap/path', self.paths.append, 10)
        subscribe(TFMessage, '/tf', self._on_tf, 100)
        subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)

    def look_at_posemap(self) -> None:
        """Subscribe to ~/posemap_image, which is rendered for subscribers only."""
        self.node.create_subscription(
            Image, 'posemap/posemap_image', self.posemap_images.append, 10
        )

    def _on_tf(self, message: TFMessage) -> None:
        self.transforms += [t for t in message.transforms if t.header.frame_id == 'map']

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name.removeprefix('posemap: ')] = status

    # ---- what the robot does

    def now(self) -> Time:
        """The time that its stamps have."""
        if self.clock_ns is None:
            return self.node.get_clock().now()
        return Time(nanoseconds=self.clock_ns)

    def tick(self, seconds: float = 0.0) -> None:
        """Let simulated time go on (or back), and publish it."""
        self.clock_ns += int(seconds * 1e9)
        self._clock.publish(Clock(clock=self.now().to_msg()))

    def mount(self, stamp: Time | None = None) -> None:
        """Publish how the camera is mounted: for good, and who listens later hears it, too; or at
        one time, as a joint does.
        """
        broadcaster = self._static if stamp is None else self._tf
        stamp = stamp or Time(nanoseconds=1)
        broadcaster.sendTransform(
            messages.transform_stamped(T_BASE_CAM, 'base_link', CAMERA_FRAME, stamp.to_msg())
        )

    def odometry(self, T_odom_base: np.ndarray, stamp: Time) -> None:
        """Publish odom->base_link."""
        self._tf.sendTransform(
            messages.transform_stamped(T_odom_base, 'odom', 'base_link', stamp.to_msg())
        )

    def camera_info(self, camera: Camera | None = None) -> None:
        """Publish a calibration, by default the camera's own."""
        camera = camera or self.camera
        K = camera.matrix_opencv()
        info = CameraInfo(width=camera.width, height=camera.height, k=K.ravel().tolist())
        self._camera_info.publish(info)

    def image(
        self,
        pixels: np.ndarray,
        stamp: Time | None,
        encoding: str = 'rgb8',
        frame_id: str = CAMERA_FRAME,
    ) -> None:
        """Publish uint8 pixels [height, width, channels]; None leaves them unstamped."""
        message = Image(encoding=encoding, height=pixels.shape[0], width=pixels.shape[1])
        message.header.frame_id = frame_id
        message.step = pixels.nbytes // pixels.shape[0]
        message.data = pixels.tobytes()
        if stamp is not None:
            message.header.stamp = stamp.to_msg()
        self._image.publish(message)

    def compressed(self, pixels: np.ndarray, stamp: Time) -> None:
        """Publish RGB pixels as PNG, which loses nothing."""
        message = CompressedImage(format='rgb8; png compressed bgr8')
        message.header.frame_id = CAMERA_FRAME
        message.header.stamp = stamp.to_msg()
        message.data = cv2.imencode('.png', pixels[..., ::-1])[1].tobytes()
        self._compressed.publish(message)

    def drive(self, pixels: np.ndarray, T_odom_base: np.ndarray | None = None) -> Time:
        """One moment of a drive: calibration, odometry before and after the image, the image."""
        stamp = self.now()
        self.camera_info()
        if T_odom_base is not None:
            for offset in (-0.05, 0.05):
                self.odometry(T_odom_base, stamp + Duration(nanoseconds=int(offset * 1e9)))
        self.image(pixels, stamp)
        return stamp

    @staticmethod
    def wait_for(condition: Callable[[], object], what: str) -> None:
        """Call `condition` at about 10 Hz until it holds: what it sends may be lost."""
        wait_until(lambda: condition() or time.sleep(0.1), what)

    def drive_until(
        self,
        condition: Callable[[], object],
        what: str,
        next_image: Callable[[], np.ndarray],
        T_odom_base: np.ndarray | None = None,
    ) -> object:
        """Drive on at about 20 Hz until something holds; return its value."""

        def step() -> object:
            self.drive(next_image(), T_odom_base)
            time.sleep(0.05)
            return condition()

        return wait_until(step, what)

    def initial_pose(self, frame_id: str) -> None:
        """Publish an initial pose, as RViz does."""
        message = PoseWithCovarianceStamped()
        message.header.frame_id = frame_id
        self._initialpose.publish(message)

    # ---- what it heard

    def new_poses(self, stamps: Container[int]) -> list[PoseStamped]:
        """Poses with one of these stamps: a late joiner first gets the last one of before."""
        return [pose for pose in self.poses if nanoseconds(pose) in stamps]

    def last_corrections_agree(self, count: int) -> bool:
        """Whether the last `count` transforms are one transform at different times."""
        last = self.transforms[-count:]
        return len(last) == count and all(t.transform == last[0].transform for t in last)

    def sees_subscriber_of_images(self) -> bool:
        """Whether the node has been discovered."""
        return self._image.get_subscription_count() > 0

    # ---- what it asks of the node

    def call(self, name: str, node: str = 'posemap'):
        """Call a Trigger service of the node; returns the future of its answer."""
        return self._client(Trigger, f'{node}/{name}').call_async(Trigger.Request())

    def set_parameter(self, name: str, value: object) -> str:
        """Set a parameter of the node; returns the reason of a refusal, or ''."""
        client = self._client(SetParameters, 'posemap/set_parameters')
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg()]
        )
        [result] = self._answer_sooner_or_later(client, request).results
        assert result.successful == (not result.reason)
        return result.reason

    def _answer_sooner_or_later(self, client: Client, request: object) -> object:
        """Of a service that may be asked again: an answer is lost where the server has not
        found the client's reader yet, as on a busy machine right after the client was made."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            future = client.call_async(request)
            ask_again = time.monotonic() + PATIENCE_SECONDS / 10
            while time.monotonic() < ask_again:
                if future.done():
                    return future.result()
                time.sleep(0.001)
            assert time.monotonic() < deadline, 'a service gave no answer however often asked'

    def _client(self, kind: type, name: str) -> Client:
        """Of a service that is there."""
        if name not in self._clients:
            # With the usual ten, some of many calls at once would never leave.
            self._clients[name] = self.node.create_client(
                kind, name, qos_profile=QoSProfile(depth=100)
            )
        wait_until(self._clients[name].service_is_ready, f'the service {name}')
        return self._clients[name]


def answer(future):
    """The answer of a service."""
    wait_until(future.done, 'the answer of a service')
    return future.result()


def nanoseconds(message) -> int:
    """The stamp of a message with a header."""
    return Time.from_msg(message.header.stamp).nanoseconds


def matrix(pose: Pose) -> np.ndarray:
    """[4, 4] of a pose message."""
    t, q = pose.position, pose.orientation
    translation = Vector3(x=t.x, y=t.y, z=t.z)
    return messages.matrix(Transform(translation=translation, rotation=q))


def child_of(pid: int) -> int | None:
    """The refine process of a node."""
    children = Path(f'/proc/{pid}/task').glob('*/children')
    pids = [int(pid) for file in children for pid in file.read_text().split()]
    return pids[0] if pids else None


def frames_kept(robot: Robot, name: str = 'refine') -> int:
    """For refine, by the node's diagnostics."""
    status = robot.diagnostics.get(name)
    return 0 if status is None else int({v.key: v.value for v in status.values}['frames kept'])


def executable(name: str) -> str:
    """One of ours, as installed by pip beside Python, or by colcon in lib/posemap_ros."""
    beside = Path(sys.executable).with_name(name)
    if beside.exists():
        return str(beside)
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    for prefix in prefixes:
        if (installed := prefix / 'lib' / 'posemap_ros' / name).exists():
            return str(installed)
    found = shutil.which(name)
    assert found, f'the executable {name} is not installed: run make, or source the workspace'
    return found
