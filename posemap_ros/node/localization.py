"""From image messages to where the robot is: what is done with one image after the other.

All of it runs in workers' threads. The first takes the newest image: decodes it, asks the network,
waits for odometry at its stamp without holding up the next image, and publishes the best that is
known. The second verifies as many of them as the processor allows, in the first one's spare time.

What a pose is, is decided in posemap_ros.localizer and posemap_ros.verification; whether to
believe it in belief; what follows for TF in frames.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rclpy.clock import Clock
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from posemap_ros.camera import Camera, CameraMismatch, InvalidCamera
from posemap_ros.localizer import Estimate, Localizer
from posemap_ros.messages.camera_info import camera_of
from posemap_ros.messages.image_message import UnsupportedImage, to_rgb
from posemap_ros.node import messages
from posemap_ros.node.belief import Belief
from posemap_ros.node.fix import Fix
from posemap_ros.node.frame_buffer import FrameBuffer
from posemap_ros.node.frames import (
    TfMode,
    base_in_map,
    camera_in_map,
    covariance_of_base,
    odom_in_map,
)
from posemap_ros.node.gate import Limits
from posemap_ros.node.meters import Rate, Stopwatches
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.pose_output import PoseOutput
from posemap_ros.node.stamps import FrameRefused, StampCheck
from posemap_ros.node.state import State
from posemap_ros.node.tf import Correction, NoTransform, NotYet, TfReader
from posemap_ros.verification.image_quality import objection as objection_to_image

if TYPE_CHECKING:
    from posemap_ros.verification.verifier import Prior, Verification, Verifier

# What makes an image unusable, each with a sentence for the user.
UNUSABLE = (FrameRefused, UnsupportedImage, InvalidCamera, CameraMismatch)
# How often to look whether odometry has come.
_POLL_SECONDS = 0.005
# Images that wait for odometry at the same time; more come only from a camera too fast for it.
_MOST_PENDING = 64
# Verifying steps back behind the quick poses, by as much as a thread may.
VERIFYING_NICENESS = 5


@dataclass
class Sighting:
    """One image and what is known of it so far."""

    header: Header
    image: np.ndarray  # uint8 RGB [H, W, 3], as the camera took it
    camera: Camera
    prepared: np.ndarray  # as the network takes it
    camera_frame: str
    estimate: Estimate
    era: int  # how often time had started anew when it came
    patience: float  # until when to wait for odometry, by time.monotonic()
    T_odom_base: np.ndarray | None = None
    T_base_cam: np.ndarray = field(default_factory=lambda: np.eye(4))

    @property
    def stamp(self) -> Time:
        return Time.from_msg(self.header.stamp)

    @property
    def seconds(self) -> float:
        return self.stamp.nanoseconds * 1e-9

    def fix(self, T_map_cam: np.ndarray, covariance: np.ndarray) -> Fix:
        """Where the robot was, if the camera was there."""
        return Fix(
            self.seconds,
            base_in_map(T_map_cam, self.T_base_cam),
            covariance_of_base(covariance, T_map_cam, self.T_base_cam),
            self.T_odom_base,
        )


class Localization:
    """What happens to the images of one camera in one environment.

    Args:
        localizer: the network.
        parameters: the node's.
        clock: the node's, which may be simulated.
        tf, correction, output: where transforms come from, and where the results go.
        frames: keeps images for refine.
        warn: tells the user a sentence, now and then.
    """

    def __init__(
        self,
        localizer: Localizer,
        parameters: Parameters,
        clock: Clock,
        tf: TfReader,
        correction: Correction,
        output: PoseOutput,
        frames: FrameBuffer,
        warn: Callable[[str], None],
    ) -> None:
        self.localizer, self._p, self._clock = localizer, parameters, clock
        self._tf, self._correction, self._output = tf, correction, output
        self._frames, self._warn = frames, warn
        self._mode = TfMode(parameters.tf_mode)
        self._camera_info: CameraInfo | None = None
        self._stamps = StampCheck()
        self._pending: deque[Sighting] = deque(maxlen=_MOST_PENDING)
        self._verify_later: Callable[[Sighting], None] | None = None
        # Guards what follows: the workers, and the executor when time starts anew.
        self._lock = threading.RLock()
        self._era = 0
        self._verifier: Verifier | None = None
        self._belief = Belief(parameters.gate_window, verifying=False)
        self._last_accepted: Time | None = None
        # For diagnostics and the picture.
        self.received, self.accepted, self.verified = Rate(), Rate(), Rate()
        self.stages = Stopwatches('decode', 'prepare', 'network', 'publish', 'verify')
        self.estimate: Estimate | None = None
        self.verification: Verification | None = None
        self.latest: Sighting | None = None
        self.input_problem = self.rejection = self.source = ''
        self.load_verifier()

    def load_verifier(self) -> None:
        """Verify with the landmarks of the revision that the localizer uses, if it has some and
        the user wants it.
        """
        verifier = None
        if self._p.verification != 'off' and self.localizer.environment.landmarks:
            from posemap_ros.verification.verifier import Verifier

            verifier = Verifier.of(self.localizer.environment)
        with self._lock:
            self._verifier = verifier
            self._belief.verifying = verifier is not None

    @property
    def verifying(self) -> bool:
        """Whether poses are verified."""
        return self._verifier is not None

    def verify_with(self, offer: Callable[[Sighting], None]) -> None:
        """Where sightings go that somebody else hands to `verify`."""
        self._verify_later = offer

    def take_camera_info(self, info: CameraInfo) -> None:
        """The calibration that holds for the images from now on."""
        self._camera_info = info

    # ---- one image after the other

    def handle(self, message: Image | CompressedImage | None) -> float | None:
        """Localize an image, and those before it for which odometry has come by now.

        Returns after how many seconds to call again, with None, because some still wait.
        """
        if message is not None:
            try:
                self._pending.append(self._look_at(message))
                self.input_problem = ''
            except UNUSABLE as error:
                self.input_problem = str(error)
                self._warn(f'image not used: {error}')
        while self._pending:
            if not self._find_transforms(self._pending[0]):
                return _POLL_SECONDS
            sighting = self._pending.popleft()
            with self.stages.time('publish'):
                self._settle(sighting)
        return None

    def _look_at(self, message: Image | CompressedImage) -> Sighting:
        """What the network says of an image. Raises one of `UNUSABLE`."""
        patience = time.monotonic() + self._p.transform_wait
        era = self._era
        if self._check_stamp(message):
            era = self._era
        camera_frame = self._p.camera_frame or message.header.frame_id
        if not camera_frame:
            raise FrameRefused(
                'its header has no frame_id: set the parameter camera_frame to the optical frame'
            )
        with self.stages.time('decode'):
            image = to_rgb(message)
        camera = self._camera_of(image)
        with self.stages.time('prepare'):
            prepared = self.localizer.prepare(image, camera)
        if self._p.check_image and (objection := objection_to_image(prepared)):
            with self._unless_time_started_anew(era):
                self._belief.not_verified(messages.nanoseconds(message.header.stamp) * 1e-9)
                self.rejection = objection
                self._tell_state()
            raise FrameRefused(objection)
        with self.stages.time('network'):
            estimate = self.localizer.estimate(prepared)
        if not messages.is_pose(estimate.T_map_cam):
            raise FrameRefused('the network gave a pose that is not finite')
        self.estimate = estimate
        return Sighting(
            message.header, image, camera, prepared, camera_frame, estimate, era, patience
        )

    def _check_stamp(self, message: Image | CompressedImage) -> bool:
        """Whether time started anew with this image. Raises `FrameRefused`."""
        back = self._stamps.check(
            messages.nanoseconds(message.header.stamp),
            self._clock.now().nanoseconds,
            self._p.max_image_age,
        )
        if back:
            self.start_anew(f'the stamps of the images went back by {back:.1f} s')
        return bool(back)

    def _camera_of(self, image: np.ndarray) -> Camera:
        """The camera that took the image."""
        height, width = image.shape[:2]
        if self._p.assume_training_camera:
            return self.localizer.environment.camera.resized(width, height)
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

    def _find_transforms(self, sighting: Sighting) -> bool:
        """Look up what TF says at the image's stamp; whether there is nothing to wait for."""
        patient = time.monotonic() < sighting.patience
        try:
            sighting.T_odom_base = self._odometry_at(sighting.stamp)
        except NotYet as error:
            if patient:
                return False
            self._miss_odometry(error)
        except NoTransform as error:
            self._miss_odometry(error)
        return True

    def _odometry_at(self, stamp: Time) -> np.ndarray | None:
        """``T_odom_base``; None for a robot without odometry."""
        if self._mode in (TfMode.MAP_TO_BASE, TfMode.MAP_TO_CAMERA):
            return None
        return self._tf.lookup(self._p.odom_frame, self._p.base_frame, stamp)

    def _miss_odometry(self, error: NoTransform) -> None:
        if self._mode is TfMode.MAP_TO_ODOM:
            self._warn(
                f'map->odom is not sent, because odometry is missing on TF ({error}); for a '
                'robot without odometry, set tf_mode to map_to_base'
            )

    def _mounting(self, sighting: Sighting) -> np.ndarray:
        """``T_base_cam``: how the camera is mounted on the frame whose pose is published."""
        if self._mode is TfMode.MAP_TO_CAMERA:
            return np.eye(4)
        base, camera = self._p.base_frame, sighting.camera_frame
        try:
            return self._tf.lookup(base, camera, sighting.stamp)
        except NoTransform as error:
            raise FrameRefused(
                f'TF does not say how the camera is mounted ({error}): run robot_state_publisher '
                f'or a static_transform_publisher from {base} to {camera}; for a camera on its '
                'own, set tf_mode to map_to_camera'
            ) from None

    def _settle(self, sighting: Sighting) -> None:
        """Weigh the network's pose and publish the best that is known for that moment."""
        try:
            self._remember(sighting)
            sighting.T_base_cam = self._mounting(sighting)
            always = self._p.verification == 'always'
            if self.verifying and always:
                self.verify(sighting, publish=False)
            with self._unless_time_started_anew(sighting.era):
                self._weigh(sighting)
            if self.verifying and not always and self._verify_later is not None:
                self._verify_later(sighting)
        except FrameRefused as error:
            self.input_problem = str(error)
            self._warn(f'image not used: {error}')

    def _remember(self, sighting: Sighting) -> None:
        """Keep the image for refine, before it is judged: where poses are poor it is needed."""
        with self._unless_time_started_anew(sighting.era):
            if self._frames.wants(sighting.seconds, sighting.T_odom_base):
                self._frames.add(sighting.seconds, sighting.prepared, sighting.T_odom_base)

    def _weigh(self, sighting: Sighting) -> None:
        estimate = sighting.estimate
        quick = sighting.fix(estimate.T_map_cam, estimate.covariance)
        best, self.rejection = self._belief.weigh(quick, self._limits(), self._p.fix_timeout)
        state = self._tell_state()
        if best is None or state is State.LOST:
            self._output.publish_rejected(quick.T_map_base, sighting.header.stamp)
            self._warn(f'fix rejected: {self.rejection}')
            return
        self.source = 'regressed' if best is quick else 'verified, carried on by odometry'
        self._accept(best, sighting)

    def _accept(self, fix: Fix, sighting: Sighting) -> None:
        self.accepted.tick()
        self._last_accepted = self._clock.now()
        self.latest = sighting
        self._output.publish_accepted(
            fix.T_map_base, fix.covariance, sighting.header.stamp, self._p.path_spacing
        )
        self._broadcast(fix, sighting)

    def _broadcast(self, fix: Fix, sighting: Sighting) -> None:
        p = self._p
        if self._mode is TfMode.MAP_TO_ODOM and fix.T_odom_base is not None:
            T_map_odom = odom_in_map(fix.T_map_base, fix.T_odom_base)
            self._correction.update(T_map_odom, p.odom_frame, p.transform_tolerance)
        elif self._mode is TfMode.MAP_TO_BASE:
            self._place(fix.T_map_base, p.base_frame, p.odom_frame, sighting.stamp)
        elif self._mode is TfMode.MAP_TO_CAMERA:
            self._place(fix.T_map_base, sighting.camera_frame, p.base_frame, sighting.stamp)

    def _place(self, T: np.ndarray, child: str, other_parent: str, stamp: Time) -> None:
        """Put a frame into the map, unless something else is its parent already."""
        if child != other_parent and self._tf.knows(other_parent, child):
            self._warn(
                f'{child} is not placed in the map, because TF connects it with {other_parent}, '
                'and a second parent would cut it off from there: use another tf_mode'
            )
            return
        self._correction.send_once(T, child, stamp)

    def _limits(self) -> Limits:
        p = self._p
        return Limits(
            p.max_sigma_translation,
            p.max_sigma_rotation,
            p.max_disagreement_translation,
            p.max_disagreement_rotation,
        )

    # ---- verification

    def verify(self, sighting: Sighting | None, publish: bool = True) -> None:
        """Match an image against the landmarks, and let the verdict count.

        A verified pose is published, too, unless a newer one or one as good was.
        """
        verifier = self._verifier
        if sighting is None or verifier is None:
            return
        with self.stages.time('verify'):
            verification = verifier.verify(
                sighting.image, sighting.camera, sighting.estimate, self._prior(sighting)
            )
        with self._unless_time_started_anew(sighting.era):
            self.verification = verification
            if not verification.verified:
                self._belief.not_verified(sighting.seconds)
                self._tell_state()
                return
            self.verified.tick()
            fix = sighting.fix(verification.T_map_cam, verification.covariance)
            objection = self._belief.verified(fix, self._limits(), self._p.fix_timeout)
            state = self._tell_state()
            if objection or state is State.LOST:
                self._warn(f'verified pose not used yet: {objection}')
            elif publish and self._output.improves(fix, sighting.header.stamp):
                self.source = 'verified'
                self._accept(fix, sighting)

    def _prior(self, sighting: Sighting) -> Prior | None:
        """Where the camera should be by the last verified pose and odometry."""
        here = sighting.fix(sighting.estimate.T_map_cam, sighting.estimate.covariance)
        with self._lock:
            anchor = self._belief.anchor_at(here, self._p.fix_timeout)
        if anchor is None:
            return None
        from posemap_ros.verification.verifier import Prior

        return Prior(
            camera_in_map(anchor.T_map_base, sighting.T_base_cam),
            anchor.sigma_translation_m,
            anchor.sigma_rotation_deg,
        )

    # ---- state, and time that starts anew

    def state(self) -> State:
        """How well the robot is localized now."""
        with self._lock:
            age = self.seconds_since_fix()
            if age is not None and age > self._p.fix_timeout:
                return State.LOST
            return self._belief.state(self._p.lost_after)

    def seconds_since_fix(self) -> float | None:
        """How long ago the last pose was published; None before the first."""
        last = self._last_accepted
        return None if last is None else (self._clock.now() - last).nanoseconds * 1e-9

    def _tell_state(self) -> State:
        state = self._belief.state(self._p.lost_after)
        self._output.publish_state(state)
        return state

    def forget(self) -> None:
        """Judge the next fix without the earlier ones: the user says that they mislead."""
        with self._lock:
            self._belief.clear()

    def start_anew(self, why: str) -> None:
        """Forget all that is tied to a time which is no more."""
        self._warn(f'{why}: history, path, frames and transforms are cleared')
        with self._lock:
            self._era += 1
            self._belief.clear()
            self._stamps.clear()
            self._last_accepted = self.latest = None
            self._output.clear()
            self._frames.clear()
            self._tf.clear()
            self._correction.clear()

    @contextmanager
    def _unless_time_started_anew(self, era: int) -> Iterator[None]:
        """Keep time as it is, so that an image of before a jump leaves no trace after it."""
        with self._lock:
            if self._era != era:
                raise FrameRefused('time started anew while it was being localized')
            yield
