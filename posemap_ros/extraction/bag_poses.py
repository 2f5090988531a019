"""The pose of the camera at any time of a recording, from a pose topic or from TF.

A pose topic tells where *some* frame is, often the robot's base. Whose pose it is must be known:
Odometry says it (child_frame_id), the other types do not, and guessing would put the camera at the
wheels. If it is not the camera's own optical
frame, TF gives the way from there to the camera.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.mounts import MOST_FRAMES, Mounts
from posemap_ros.dataset.pose_matrix import pose_from_quaternion
from posemap_ros.extraction.bag import BagError
from posemap_ros.messages.transform_tree import NotConnected, TransformTree


@dataclass
class RecordedPoses:
    """Gathers the messages of a pose topic and of TF; `camera_poses` makes sense of them.

    Of several poses with one stamp the last counts: a Path is sent again and again, each time with
    what is known better by then. `skip_invalid` leaves out impossible poses (NaN, no rotation),
    which otherwise are errors.
    """

    max_gap_ns: int
    skip_invalid: bool = False
    invalid: int = 0
    frame_id: str | None = None  # in which the topic's poses are given
    child_frame_id: str = ''  # whose they are, if the topic says it
    tree: TransformTree = field(init=False)
    # stamp -> position and quaternion. Checked at the end: a Path holds most of them many times.
    _poses: dict[int, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tree = TransformTree(self.max_gap_ns)

    def add_pose(self, topic: str, message: Any) -> None:
        """One message of the pose topic; all types of `POSE_TYPES` are taken."""
        if self.frame_id is None:
            self.frame_id = message.header.frame_id
            self.child_frame_id = getattr(message, 'child_frame_id', '')
        elif message.header.frame_id != self.frame_id:
            raise BagError(
                f'{topic}: poses change from frame {self.frame_id!r} to '
                f'{message.header.frame_id!r} on the way; one frame is needed'
            )
        for header, pose in _poses_in(message):
            stamp = stamp_of(header)
            if not stamp:
                raise BagError(
                    f'{topic}: a pose has no stamp (it is 0); without one no image can be found '
                    'for it'
                )
            p, q = pose.position, pose.orientation
            self._poses[stamp] = (p.x, p.y, p.z), (q.x, q.y, q.z, q.w)

    def add_tf(self, message: Any, static: bool) -> None:
        """One TFMessage."""
        for entry in message.transforms:
            t, q = entry.transform.translation, entry.transform.rotation
            stamp = None if static else stamp_of(entry.header)
            try:
                T = pose_from_quaternion((t.x, t.y, t.z), (q.x, q.y, q.z, q.w), 'TF')
            except DatasetError:
                continue  # tf2 drops these too; where one is missed, there is a gap
            self.tree.add(entry.header.frame_id, entry.child_frame_id, T, stamp)

    def camera_poses(
        self, camera_frame: str, pose_topic: str | None, pose_frame: str | None, map_frame: str
    ) -> CameraPoses:
        """Poses of the camera's optical frame: from the topic, or from TF if there is none.

        Raises `BagError` if it is not known whose poses the topic holds, or TF has no way from
        there to the camera.
        """
        if pose_topic is None:
            self._demand_way(map_frame, camera_frame, 'the poses of the camera')
            return CameraPoses(self.tree, ((map_frame, camera_frame),))
        pose_frame = pose_frame or self.child_frame_id
        if not pose_frame:
            carriers = ' or '.join(carriers_of(self.tree, camera_frame))
            raise BagError(
                f'{pose_topic} does not say whose poses it holds; say it with --pose-frame: '
                f"{camera_frame} if they are the camera's, or "
                f'{carriers or "for example base_link"}'
            )
        self._demand_way(pose_frame, camera_frame, f'where the camera is on {pose_frame}')
        holder = self.holder_poses(pose_topic)
        return CameraPoses(self.tree, (*holder.ways, (pose_frame, camera_frame)))

    def mounts(self, camera_frame: str, pose_frame: str | None) -> Mounts | None:
        """The frames whose poses the topic's may be, as far as static transforms tell; None if
        the one that they are taken for is not fixed to the camera.
        """
        used = (pose_frame or self.child_frame_id).lstrip('/')
        try:
            frames = self.tree.fixed_to(camera_frame)
        except NotConnected:
            return None
        if used not in frames:
            return None
        frames = dict.fromkeys([*frames[: MOST_FRAMES - 1], used])
        return Mounts(used, {frame: self.tree.lookup(frame, camera_frame, 0) for frame in frames})

    def holder_poses(self, pose_topic: str) -> CameraPoses:
        """The topic's poses as they are, of whatever frame they may be."""
        # They join the tree under names of their own: TF often holds the same frames from another
        # source, such as odometry.
        world, holder = f'world of {pose_topic}', f'holder of {pose_topic}'
        for number, (stamp, (position, xyzw)) in enumerate(self._poses.items()):
            name = f'{pose_topic}: pose {number} (stamp {stamp / 1e9:.3f})'
            try:
                self.tree.add(world, holder, pose_from_quaternion(position, xyzw, name), stamp)
            except DatasetError as error:
                if not self.skip_invalid:
                    raise BagError(
                        f'{error}; --skip-invalid-poses leaves such poses out'
                    ) from None
                self.invalid += 1
        if self.invalid == len(self._poses):
            raise BagError(f'{pose_topic}: there is no valid pose')
        return CameraPoses(self.tree, ((world, holder),))

    def _demand_way(self, target: str, source: str, purpose: str) -> None:
        try:
            self.tree.lookup(target, source, 0)
        except NotConnected as error:
            frames = ', '.join(self.tree.frames) or 'none'
            raise BagError(
                f'{error}, which tells {purpose}; frames in TF: {frames} (/tf_static must be in '
                'the bag; the camera is the frame_id of the images or --camera-frame)'
            ) from None


@dataclass(frozen=True)
class CameraPoses:
    """T_world_cam over time, as a product of ways through a tree: ((target, source), ...)."""

    tree: TransformTree
    ways: tuple[tuple[str, str], ...]

    def at(self, stamp_ns: int) -> np.ndarray | None:
        """The pose [4, 4] at this time, None where it is not known."""
        T = np.eye(4)
        for target, source in self.ways:
            T_target_source = self.tree.lookup(target, source, stamp_ns)
            if T_target_source is None:
                return None
            T = T @ T_target_source
        return T

    def span_ns(self) -> tuple[int, int] | None:
        """The first and last time of the poses, None if they do not change with time."""
        spans = [span for way in self.ways if (span := self.tree.span_ns(*way)) is not None]
        if not spans:
            return None
        return max(start for start, _ in spans), min(end for _, end in spans)


def carriers_of(tree: TransformTree, camera_frame: str) -> list[str]:
    """The frames that the camera is mounted on, the root first; none if TF contradicts itself."""
    try:
        return tree.carriers(camera_frame)
    except NotConnected:
        return []


def _poses_in(message: Any) -> list[tuple[Any, Any]]:
    """(header, geometry_msgs/Pose) of each pose in the message."""
    if hasattr(message, 'poses'):  # a Path
        return [(stamped.header, stamped.pose) for stamped in message.poses]
    pose = message.pose
    return [(message.header, getattr(pose, 'pose', pose))]  # with covariance, it is wrapped


def stamp_of(header: Any) -> int:
    """The header's stamp in nanoseconds."""
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec
