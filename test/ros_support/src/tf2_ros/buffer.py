"""The transform buffer: who is whose parent, at what time, and the arithmetic along the tree."""

from __future__ import annotations

import math
import threading
import time as wall_clock
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

import numpy as np
import rclpy.logging
from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from transforms3d.quaternions import qconjugate, qmult, rotate_vector

_MAX_DEPTH = 1000  # tf2's MAX_GRAPH_DEPTH: a longer chain is a loop


class TransformException(Exception):
    """Base of all that can go wrong in a lookup."""


class LookupException(TransformException):
    """A frame has never been heard of."""


class ConnectivityException(TransformException):
    """Both frames are known, but not in one tree."""


class ExtrapolationException(TransformException):
    """The time asked for lies outside what the buffer holds."""


class InvalidArgumentException(TransformException):
    """A frame name that cannot be one."""


@dataclass(frozen=True)
class _Transform:
    """Maps a point from the child's frame into the parent's: ``R(rotation) p + translation``."""

    translation: np.ndarray  # [3] metres
    rotation: np.ndarray  # [4] unit quaternion, w first

    def __matmul__(self, inner: _Transform) -> _Transform:
        return _Transform(
            self.translation + rotate_vector(inner.translation, self.rotation),
            qmult(self.rotation, inner.rotation),
        )

    def inverse(self) -> _Transform:
        rotation = qconjugate(self.rotation)
        return _Transform(-rotate_vector(self.translation, rotation), rotation)

    def interpolate(self, other: _Transform, ratio: float) -> _Transform:
        """
        This one at ratio 0, the other at 1: linear in translation, slerp on the shorter arc in
        rotation.
        """
        return _Transform(
            (1.0 - ratio) * self.translation + ratio * other.translation,
            _slerp(self.rotation, other.rotation, ratio),
        )


_IDENTITY = _Transform(np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))


@dataclass(frozen=True, order=True)
class _Sample:
    stamp_ns: int
    parent: str = field(compare=False)
    transform: _Transform = field(compare=False)


class _Frame:
    """
    What is known of one child frame. ``static`` frames hold one sample that is true at any time.
    """

    def __init__(self, static: bool) -> None:
        self.static = static
        self.samples: list[_Sample] = []  # by ascending stamp

    def insert(self, sample: _Sample, cache_ns: int) -> bool:
        """Whether the sample was young enough to be kept."""
        if self.static:
            self.samples = [sample]
            return True
        oldest_ns = max([sample.stamp_ns, *(s.stamp_ns for s in self.samples[-1:])]) - cache_ns
        if sample.stamp_ns < oldest_ns:
            return False
        insort(self.samples, sample)
        del self.samples[: bisect_left(self.samples, oldest_ns, key=lambda s: s.stamp_ns)]
        return True

    def at(self, stamp_ns: int) -> _Sample:
        """The sample at a time; 0 asks for the latest."""
        samples = self.samples
        if not samples:  # cleared
            raise ExtrapolationException(
                f'Lookup would require extrapolation at time {_seconds(stamp_ns)}, '
                'but the buffer is empty'
            )
        if self.static or stamp_ns == 0:
            return samples[-1]
        after = bisect_right(samples, stamp_ns, key=lambda s: s.stamp_ns)
        if after > 0 and samples[after - 1].stamp_ns == stamp_ns:
            return samples[after - 1]
        if len(samples) == 1:
            raise ExtrapolationException(
                f'Lookup would require extrapolation at time {_seconds(stamp_ns)}, '
                f'but only time {_seconds(samples[0].stamp_ns)} is in the buffer'
            )
        if after == 0 or after == len(samples):
            direction, bound, edge = (
                ('past', 'earliest', samples[0])
                if after == 0
                else ('future', 'latest', samples[-1])
            )
            raise ExtrapolationException(
                f'Lookup would require extrapolation into the {direction}.  Requested time '
                f'{_seconds(stamp_ns)} but the {bound} data is at time {_seconds(edge.stamp_ns)}'
            )
        one, two = samples[after - 1], samples[after]
        if one.parent != two.parent:  # the frame was re-parented in between
            return one
        ratio = (stamp_ns - one.stamp_ns) / (two.stamp_ns - one.stamp_ns)
        return _Sample(stamp_ns, one.parent, one.transform.interpolate(two.transform, ratio))


class Buffer:
    """
    Keeps the last ``cache_time`` of transforms and answers lookups between any two connected
    frames.

    Pass the node, as with the real one: its clock (simulated or not) decides when time jumped back
    and all is cleared.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        self._cache_ns = (cache_time or Duration(seconds=10)).nanoseconds
        self._lock = threading.RLock()
        self._frames: dict[str, _Frame] = {}  # by child name
        self._names: set[str] = set()  # parents and children
        self.clock = Clock() if node is None else node.get_clock()
        threshold = JumpThreshold(
            min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True
        )
        self.jump_handle = self.clock.create_jump_callback(
            threshold, post_callback=self.time_jump_callback
        )

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        rclpy.logging.get_logger('tf2_buffer').warning(
            'Detected jump back in time. Clearing tf buffer.'
        )
        self.clear()

    def clear(self) -> None:
        """
        Forget all transforms that change over time; static ones stay, as they are sent only once.
        """
        with self._lock:
            for frame in self._frames.values():
                if not frame.static:
                    frame.samples.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        self._insert(transform, authority, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        self._insert(transform, authority, static=True)

    def lookup_transform(
        self, target_frame: str, source_frame: str, time: Time, timeout: Duration = Duration()
    ) -> TransformStamped:
        """
        Return the transform that maps points from the source frame into the target frame.

        Args:
            target_frame: frame to transform into.
            source_frame: frame to transform from.
            time: when; zero asks for the latest time at which all transforms in between are known.
            timeout: how long to block until the transform is there.

        Raises:
            LookupException, ConnectivityException, ExtrapolationException,
            InvalidArgumentException.
        """
        self.can_transform(target_frame, source_frame, time, timeout)  # waits
        return self._lookup(target_frame, source_frame, time.nanoseconds)

    def can_transform(
        self,
        target_frame: str,
        source_frame: str,
        time: Time,
        timeout: Duration = Duration(),
        return_debug_tuple: bool = False,
    ) -> bool | tuple[bool, str]:
        """
        Whether lookup_transform would answer within the timeout; with the reason why not, if
        wanted.
        """
        deadline = wall_clock.monotonic() + timeout.nanoseconds * 1e-9
        while True:
            try:
                self._lookup(target_frame, source_frame, time.nanoseconds)
                return (True, '') if return_debug_tuple else True
            except TransformException as error:
                if wall_clock.monotonic() >= deadline:
                    return (False, str(error)) if return_debug_tuple else False
            wall_clock.sleep(0.02)

    def _insert(self, message: TransformStamped, authority: str, static: bool) -> None:
        parent = message.header.frame_id.removeprefix('/')
        child = message.child_frame_id.removeprefix('/')
        t, q = message.transform.translation, message.transform.rotation
        rotation = np.array([q.w, q.x, q.y, q.z])
        with np.errstate(invalid='ignore'):  # a zero quaternion turns into nan, and is refused
            rotation = rotation / np.linalg.norm(rotation)
        transform = _Transform(np.array([t.x, t.y, t.z]), rotation)
        reason = _why_invalid(parent, child, transform)
        if reason is None:
            stamp_ns = Time.from_msg(message.header.stamp).nanoseconds
            with self._lock:
                frame = self._frames.get(child)
                if frame is None or frame.static != static:
                    frame = self._frames[child] = _Frame(static)
                if frame.insert(_Sample(stamp_ns, parent, transform), self._cache_ns):
                    self._names |= {parent, child}
                else:
                    reason = f'TF_OLD_DATA ignoring data from the past for frame {child}'
        if reason is not None:  # as tf2: said in the log, never raised
            rclpy.logging.get_logger('tf2').error(f'{reason} (authority "{authority}")')

    def _lookup(self, target: str, source: str, stamp_ns: int) -> TransformStamped:
        with self._lock:
            for role, name in (('target', target), ('source', source)):
                if not name or name.startswith('/'):
                    raise InvalidArgumentException(
                        f'Invalid argument "{name}" passed to lookupTransform as {role}_frame'
                    )
                if name not in self._names:
                    raise LookupException(
                        f'"{name}" passed to lookupTransform as {role}_frame does not exist. '
                    )
            if stamp_ns == 0:
                stamp_ns = self._latest_common_time(target, source)
            target_chain, target_error = self._chain(target, stamp_ns)
            source_chain, source_error = self._chain(source, stamp_ns)
            common = next((name for name in source_chain if name in target_chain), None)
            if common is None:
                self._raise_unconnected(target, source, target_error or source_error)
            found = target_chain[common].inverse() @ source_chain[common]

        message = TransformStamped()
        message.header.frame_id = target
        message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
        message.child_frame_id = source
        t, q = message.transform.translation, message.transform.rotation
        t.x, t.y, t.z = map(float, found.translation)
        q.w, q.x, q.y, q.z = map(float, found.rotation)
        return message

    def _chain(
        self, name: str, stamp_ns: int
    ) -> tuple[dict[str, _Transform], ExtrapolationException | None]:
        """
        From each ancestor's name to the transform into it; ends early, with the error, where time
        runs out.
        """
        chain = {name: _IDENTITY}
        while name in self._frames:
            try:
                sample = self._frames[name].at(stamp_ns)
            except ExtrapolationException as error:
                return chain, error
            if sample.parent in chain or len(chain) > _MAX_DEPTH:
                raise LookupException('The tf tree is invalid because it contains a loop.')
            chain[sample.parent] = sample.transform @ chain[name]
            name = sample.parent
        return chain, None

    def _latest_common_time(self, target: str, source: str) -> int:
        """
        The oldest of the newest stamps on the path between two frames, in ns; 0 if all of it is
        static.
        """
        target_chain, source_chain = self._chain(target, 0)[0], self._chain(source, 0)[0]
        common = next((name for name in source_chain if name in target_chain), None)
        if common is None:
            self._raise_unconnected(target, source, None)
        newest = []
        for chain in (target_chain, source_chain):
            for name in chain:
                if name == common:
                    break
                if not self._frames[name].static:
                    newest.append(self._frames[name].samples[-1].stamp_ns)
        return min(newest, default=0)

    @staticmethod
    def _raise_unconnected(
        target: str, source: str, extrapolation: ExtrapolationException | None
    ) -> None:
        if extrapolation is not None:
            raise ExtrapolationException(
                f'{extrapolation}, when looking up transform from frame [{source}] '
                f'to frame [{target}]'
            )
        raise ConnectivityException(
            f"Could not find a connection between '{target}' and '{source}' because they are not "
            'part of the same tree. Tf has two or more unconnected trees.'
        )


def _why_invalid(parent: str, child: str, transform: _Transform) -> str | None:
    """In tf2's words, why a transform must be ignored; None for a good one."""
    if parent == child:
        return f'TF_SELF_TRANSFORM: Ignoring transform of "{child}" to itself'
    if not child:
        return 'TF_NO_CHILD_FRAME_ID: Ignoring transform because child_frame_id not set'
    if not parent:
        return f'TF_NO_FRAME_ID: Ignoring transform of "{child}" because frame_id not set'
    if np.isnan([*transform.translation, *transform.rotation]).any():
        return f'TF_NAN_INPUT: Ignoring transform of "{child}" because of a nan value'
    return None


def _slerp(one: np.ndarray, two: np.ndarray, ratio: float) -> np.ndarray:
    """Unit quaternions [4]; constant speed along the shorter arc."""
    cosine = float(one @ two)
    if cosine < 0.0:  # q and -q are the same rotation; take the nearer one
        two, cosine = -two, -cosine
    angle = math.acos(min(1.0, cosine))
    if angle < 1e-6:  # sin(angle) vanishes, and so does the difference
        return one
    return (math.sin((1.0 - ratio) * angle) * one + math.sin(ratio * angle) * two) / math.sin(
        angle
    )


def _seconds(stamp_ns: int) -> str:
    return f'{stamp_ns * 1e-9:.6f}'
