"""From image messages to where the robot is: what is done with one image after the other.

All of it runs in workers' threads. The first takes the newest image: decodes it, asks the network,
waits for odometry at its stamp without holding up the next image, and publishes the best that is
known. The second verifies as many of them as the processor allows, in the time that is left.

What a pose is, is decided in posemap_ros.localizer and posemap_ros.verification; whether to
believe it in belief; what follows for TF in broadcast.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rclpy.clock import Clock
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage, Image

from posemap_ros.landmarks.landmark_map import LandmarkMap
from posemap_ros.localizer import Estimate, Localizer
from posemap_ros.node import messages
from posemap_ros.node.belief import Belief
from posemap_ros.node.broadcast import Broadcast
from posemap_ros.node.fix import Fix
from posemap_ros.node.floor import Planar
from posemap_ros.node.frame_buffer import FrameBuffer, KeptFrame
from posemap_ros.node.frames import TfMode, camera_in_map
from posemap_ros.node.gate import Limits
from posemap_ros.node.meters import Rate, Stopwatches
from posemap_ros.node.parameters import Parameters
from posemap_ros.node.pose_output import PoseOutput
from posemap_ros.node.revision_in_use import RevisionInUse
from posemap_ros.node.sighting import UNUSABLE, NothingToSee, Observer, Sighting
from posemap_ros.node.stamps import FrameRefused, StampCheck
from posemap_ros.node.state import State
from posemap_ros.node.tf import NoTransform, NotYet, TfReader
from posemap_ros.support.printable import printable
from posemap_ros.verification.verifier import Prior, Verification

# How often to look whether TF has come.
_POLL_SECONDS = 0.005
# Images that wait for TF at the same time; more come only from a camera too fast for it.
_MOST_PENDING = 64
# Verifying steps back behind the quick poses, by as much as a thread may.
VERIFYING_NICENESS = 5


def load_planar(localizer: Localizer, parameters: Parameters) -> Planar | None:
    """By the photos of the environment's landmarks, if the user wants it.

    Raises:
        ValueError: it is not known where the photos were taken. InvalidLandmarks: with a sentence.
    """
    if not parameters.planar:
        return None
    environment = localizer.environment
    if environment.landmarks is None:
        raise ValueError(
            f'planar needs to know where {environment.path} was mapped from, which its landmarks '
            'say: it has none; add them with map_landmarks, or set planar to false'
        )
    return Planar(LandmarkMap.load(environment.landmarks).T_world_cam)


@dataclass
class _Pending:
    """A sighting that waits for TF."""

    sighting: Sighting
    era: int  # how often history had been cleared when its image came
    until: float  # time.monotonic() up to which it waits


class Localization:
    """What happens to the images of one camera in one environment.

    Args:
        in_use: the network and the landmarks.
        planar: puts fixes onto the floor; None: the robot may be anywhere.
        parameters: the node's.
        clock: the node's, which may be simulated.
        tf, broadcast, output: where transforms come from, and where the results go.
        frames: keeps images for refine.
        warn: tells the user a sentence, now and then.
    """

    def __init__(
        self,
        in_use: RevisionInUse,
        planar: Planar | None,
        parameters: Parameters,
        clock: Clock,
        tf: TfReader,
        broadcast: Broadcast,
        output: PoseOutput,
        frames: FrameBuffer,
        warn: Callable[[str], None],
    ) -> None:
        self.localizer, self._in_use = in_use.localizer, in_use
        self._p, self._clock = parameters, clock
        self._tf, self._broadcast, self._output = tf, broadcast, output
        self._frames, self._warn = frames, warn
        self._stamps = StampCheck()
        self._pending: deque[_Pending] = deque(maxlen=_MOST_PENDING)
        self._verify_later: Callable[[tuple[Sighting, int]], None] | None = None
        # Guards what follows: the workers, and the executor when time starts anew.
        self._lock = threading.RLock()
        self._era = 0
        self._planar = planar
        self._belief = Belief(parameters.gate_window)
        self._last_accepted: Time | None = None
        # For diagnostics and the picture.
        self.stages = Stopwatches('decode', 'prepare', 'network', 'publish', 'verify')
        self.observer = Observer(self.localizer, parameters, self.stages)
        self.received, self.accepted, self.verified = Rate(), Rate(), Rate()
        self.estimate: Estimate | None = None
        self.verification: Verification | None = None
        self.latest: tuple[Sighting, Fix] | None = None  # of the last pose that was published
        self.input_problem = self.rejection = self.source = ''

    # ---- one image after the other

    def handle(self, message: Image | CompressedImage | None) -> float | None:
        """Localize an image, and those before it for which TF has come by now.

        Returns after how many seconds to call again, with None, because some still wait.
        """
        if message is not None:
            self._receive(message)
        while self._pending:
            first = self._pending.popleft()
            with self._saying_what_is_wrong():
                if not self._has_transforms(first):
                    self._pending.appendleft(first)
                    return _POLL_SECONDS
                self._settle(first.sighting, first.era)
        return None

    def _receive(self, message: Image | CompressedImage) -> None:
        until = time.monotonic() + self._p.transform_wait
        with self._saying_what_is_wrong():
            stamp_ns = messages.nanoseconds(message.header.stamp)
            now_ns = self._clock.now().nanoseconds
            if back := self._stamps.check(stamp_ns, now_ns, self._p.max_image_age):
                self.start_anew(f'the stamps of the images went back by {back:.1f} s')
            era = self._era
            try:
                sighting = self.observer.look_at(message)
            except NothingToSee:
                with self._unless_cleared(era):
                    self._belief.not_verified(stamp_ns * 1e-9)
                    self._tell_state()
                    if self.latest is not None and self.state() is State.LOST:
                        _, last = self.latest
                        self._output.publish_rejected(last.T_map_base, message.header.stamp)
                raise
            self.estimate = sighting.estimate
            self._pending.append(_Pending(sighting, era, until))
            self.input_problem = ''

    @contextmanager
    def _saying_what_is_wrong(self) -> Iterator[None]:
        """With an image that cannot be used."""
        try:
            yield
        except UNUSABLE as error:
            self.input_problem = printable(str(error), 1000)
            self._warn(f'image not used: {error}')

    def _has_transforms(self, pending: _Pending) -> bool:
        """Look up the mount and odometry at the image's stamp; whether there is nothing more to
        wait for. Raises `FrameRefused` without a mount.
        """
        sighting, waits = pending.sighting, time.monotonic() < pending.until
        try:
            sighting.T_base_cam = self._tf.mounting(sighting.camera_frame, sighting.stamp)
        except NotYet as error:
            if waits:
                return False
            raise FrameRefused(
                f'TF did not say in time how the camera is mounted ({error}): raise '
                'transform_wait, or let the joints be published more often'
            ) from None
        try:
            sighting.T_odom_base = self._tf.odometry_at(sighting.stamp)
        except NoTransform as error:
            if isinstance(error, NotYet) and waits:
                return False
            if self._p.tf_mode == TfMode.MAP_TO_ODOM:
                self._warn(
                    f'map->odom is not sent, because odometry is missing on TF ({error}); for a '
                    'robot without odometry, set tf_mode to map_to_base'
                )
        return True

    def _settle(self, sighting: Sighting, era: int) -> None:
        """Weigh the network's pose, and publish the best that is known for that moment."""
        at_once = self._p.verification == 'always'
        if self.verifying and at_once:
            self._verify(sighting, era, publish=False)
        with self.stages.time('publish'), self._unless_cleared(era):
            self._weigh(sighting)
        if self.verifying and self._verify_later is not None and not at_once:
            self._verify_later((sighting, era))
        self._remember(sighting, era)

    def _remember(self, sighting: Sighting, era: int) -> None:
        """Keep the image for refine, believed or not: where poses are poor it is needed."""
        if not self._frames.wants(sighting.seconds, sighting.T_odom_base):
            return
        frame = KeptFrame.of(
            sighting.seconds, sighting.image, sighting.camera, sighting.T_odom_base
        )
        with self._unless_cleared(era):
            self._frames.add(frame)

    def _weigh(self, sighting: Sighting) -> None:
        quick = sighting.quick_fix()
        best, self.rejection = self._belief.weigh(quick, self._limits(), self.verifying)
        if best is None or self._belief.state(self._p.lost_after) is State.LOST:
            self._output.publish_rejected(quick.T_map_base, sighting.header.stamp)
            self._warn(f'fix rejected: {self.rejection}')
        else:
            self.source = 'regressed' if best is quick else 'verified, carried on by odometry'
            self._accept(self._on_floor(best, sighting), sighting)
        self._tell_state()

    def _on_floor(self, fix: Fix, sighting: Sighting) -> Fix:
        """Where the robot can be, of a fix that is believed."""
        if self._planar is None:
            return fix
        fix, doubt = self._planar.settled(fix, sighting.T_base_cam)
        if doubt:
            self._warn(doubt)
        return fix

    def _accept(self, fix: Fix, sighting: Sighting) -> None:
        self.accepted.tick()
        self._last_accepted = self._clock.now()
        self.latest = (sighting, fix)
        self._output.publish_accepted(fix, sighting.header.stamp, self._p.path_spacing)
        self._broadcast.follow(
            fix.T_map_base, fix.T_odom_base, sighting.camera_frame, sighting.stamp
        )

    def _limits(self) -> Limits:
        p = self._p
        return Limits(
            p.max_sigma_translation,
            p.max_sigma_rotation,
            p.max_disagreement_translation,
            p.max_disagreement_rotation,
            p.fix_timeout,
            p.lost_after,
        )

    # ---- verification

    @property
    def verifying(self) -> bool:
        """Whether poses are verified."""
        return self._in_use.verifier is not None

    def verify_with(self, offer: Callable[[tuple[Sighting, int]], None]) -> None:
        """Where sightings go that somebody else hands to `verify`."""
        self._verify_later = offer

    def verify(self, item: tuple[Sighting, int] | None) -> None:
        """Match an image against the landmarks, and let the verdict count."""
        if item is not None:
            with self._saying_what_is_wrong():
                self._verify(*item, publish=True)

    def _verify(self, sighting: Sighting, era: int, publish: bool) -> None:
        verifier = self._in_use.verifier  # another thread may take another one into use meanwhile
        if verifier is None:
            return
        with self.stages.time('verify'):
            verification = verifier.verify(
                sighting.image, sighting.camera, sighting.estimate, self._prior(sighting)
            )
        with self._unless_cleared(era):
            self.verification = verification
            if not verification.verified:
                self._belief.not_verified(sighting.seconds)
                self._tell_state()
                return
            self.verified.tick()
            fix = sighting.fix(verification.T_map_cam, verification.covariance)
            objection = self._belief.verified(fix, self._limits())
            if objection:
                self._warn(f'verified pose not used yet: {objection}')
            else:
                fix = self._on_floor(fix, sighting)
                if publish and self._output.improves(fix, sighting.header.stamp):
                    self.source = 'verified'
                    self._accept(fix, sighting)
            self._tell_state()

    def _prior(self, sighting: Sighting) -> Prior | None:
        """Where the camera should be by the last verified pose and odometry."""
        with self._lock:
            anchor = self._belief.anchor_at(sighting.quick_fix(), self._limits())
        if anchor is None:
            return None
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

    def _tell_state(self) -> None:
        self._output.publish_state(self.state())

    def forget(self) -> None:
        """Judge the next fix without the earlier ones: the user says that they mislead."""
        with self._lock:
            self._era += 1
            self._belief.clear()
            self._last_accepted = None
            self._broadcast.clear()

    def start_anew(self, why: str) -> None:
        """Forget all that is tied to a time which is no more."""
        self._warn(f'{why}: history, path, frames and transforms are cleared')
        with self._lock:
            self.forget()
            self.latest = None
            self._stamps.clear()
            self._output.clear()
            self._frames.clear()
            self._tf.clear()

    @contextmanager
    def _unless_cleared(self, era: int) -> Iterator[None]:
        """Keep history as it is, so that an image of before it was cleared leaves no trace after
        that.
        """
        with self._lock:
            if self._era != era:
                raise FrameRefused('history was cleared while it was being localized')
            yield
