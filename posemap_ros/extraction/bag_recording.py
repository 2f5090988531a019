"""The first pass over a bag: everything but the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.dataset.mounts import Mounts
from posemap_ros.extraction.bag import Bag, BagError
from posemap_ros.extraction.bag_poses import CameraPoses, RecordedPoses
from posemap_ros.extraction.bag_topics import TF_TYPES, BagTopics, PoseSource, is_rectified
from posemap_ros.extraction.frame_selection import FrameSelection
from posemap_ros.messages.camera_info import camera_of

# (items, what, total) -> a context with the items, behind a progress bar that closes with it.
Progress = Callable[[Iterable[Any], str, int], AbstractContextManager[Iterable[Any]]]


@dataclass(frozen=True)
class BagOptions:
    """What to read from a bag, and how to understand it."""

    image_topic: str | None = None  # None: the only one there is
    camera_info_topic: str | None = None
    pose_topic: str | None = None
    pose_source: PoseSource = 'topic'
    map_frame: str = 'map'  # with pose_source 'tf'
    pose_frame: str | None = None  # whose poses the topic holds; None: its child_frame_id
    camera_frame: str | None = None  # None: the frame_id of the images
    rectified: bool | None = None  # None: as the image topic's name says
    max_gap_s: float = 0.25
    pose_delay_s: float = 0.0  # by how much the poses are stamped later than the images
    skip_invalid_poses: bool = False
    distance: tuple[int, int, float] | None = None  # with 'sfm': metres between two frames
    undistort: bool = False  # write images of a pinhole camera; otherwise the model is kept
    selection: FrameSelection = field(default_factory=FrameSelection)

    @property
    def needs_poses(self) -> bool:
        """Does each image need a pose that the bag holds?"""
        return self.pose_source in ('topic', 'tf')


@dataclass
class Recording:
    """The camera, when its images were taken, and where it was."""

    camera: Camera
    camera_frame: str
    world_frame: str
    image_stamps_ns: list[int]  # ascending, each once
    poses: dict[int, np.ndarray]  # stamp -> T_world_cam of those images for which it is known
    pose_source: str  # the topic, 'TF', or '' where there are no poses
    invalid_poses: int
    notes: list[str]  # what is allowed, but often a mistake
    mounts: Mounts | None = None  # whose poses the topic's may be


def read_recording(
    bag: Bag, topics: BagTopics, options: BagOptions, progress: Progress
) -> Recording:
    """Raises `BagError` if there is no camera, no image, or no image with a pose.

    With the pose sources 'sfm' and 'none' images need no poses; with 'sfm', those of the pose
    topic, if any, are there.
    """
    poses = RecordedPoses(round(options.max_gap_s * 1e9), options.skip_invalid_poses)
    tf = {name for name, topic in bag.topics.items() if topic.type in TF_TYPES}
    wanted = {topics.image, topics.camera_info, *tf} | ({topics.pose} if topics.pose else set())
    total = sum(bag.topics[name].count for name in wanted)
    info, camera_frame, stamps = None, options.camera_frame, set()
    with progress(bag.messages(wanted), 'reading poses', total) as messages:
        for topic, data in messages:
            if topic == topics.image:
                stamps.add(bag.stamp_ns(topic, data))
                if camera_frame is None:
                    camera_frame = bag.parse(topic, data).header.frame_id
            elif topic == topics.camera_info:
                # All but the stamp: a camera that zooms or refocuses cannot be one Camera.
                if info is None:
                    info = data
                elif data[12:] != info[12:]:
                    raise BagError(
                        f'{bag.path}: {topic} changes during the recording; a camera with fixed '
                        'zoom and one calibration is needed'
                    )
            elif topic == topics.pose:
                poses.add_pose(topic, bag.parse(topic, data))
            else:
                poses.add_tf(bag.parse(topic, data), static=topic.endswith('tf_static'))
    if info is None or not stamps:
        missing = topics.camera_info if stamps else topics.image
        raise BagError(f'{bag.path}: topic {missing} holds no messages; was the bag cut short?')
    if 0 in stamps:
        raise BagError(
            f'{bag.path}: images on {topics.image} have no stamp (it is 0); '
            'without one no pose can be found for them'
        )
    if not camera_frame and options.needs_poses:
        raise BagError(
            f'{bag.path}: images on {topics.image} have no frame_id; name it with --camera-frame'
        )
    camera = _read_camera(bag, topics, info, options)
    source = topics.pose or ('TF' if options.pose_source == 'tf' else '')
    recording = Recording(
        camera=camera,
        camera_frame=camera_frame,
        world_frame=options.map_frame if source == 'TF' else (poses.frame_id or ''),
        image_stamps_ns=sorted(stamps),
        poses={},
        pose_source=source,
        invalid_poses=0,
        notes=[],
    )
    if source:
        try:
            camera_poses = poses.camera_poses(
                camera_frame, topics.pose, options.pose_frame, options.map_frame
            )
            if topics.pose and options.needs_poses:
                recording.mounts = poses.mounts(camera_frame, options.pose_frame)
        except BagError as error:
            if options.needs_poses:
                raise
            camera_poses = poses.holder_poses(topics.pose)
            recording.notes.append(
                f'note: {topics.pose} is taken for the poses of the camera to find the scale: '
                f'{error}'
            )
        recording.invalid_poses = poses.invalid
        _pose_images(bag, recording, options, camera_poses)
    if 'odom' in recording.world_frame and options.needs_poses:
        recording.notes.append(
            'note: the poses are in an odometry frame, which drifts; poses from SLAM or another '
            'map frame give a better environment'
        )
    if 'optical' not in camera_frame and options.needs_poses:
        recording.notes.append(
            f'note: the images are in frame {camera_frame!r}, which is taken as an optical frame: '
            'z forward, x right, y down'
        )
    return recording


def _read_camera(bag: Bag, topics: BagTopics, info: bytes, options: BagOptions) -> Camera:
    rectified = is_rectified(topics.image) if options.rectified is None else options.rectified
    try:
        return camera_of(bag.parse(topics.camera_info, info), rectified)
    except InvalidCamera as error:
        raise BagError(f'{bag.path}: {topics.camera_info}: {error}') from None


def _pose_images(bag: Bag, recording: Recording, options: BagOptions, poses: CameraPoses) -> None:
    """Give the recording T_world_cam at its images' stamps, where it is known."""
    stamps_ns, source = recording.image_stamps_ns, recording.pose_source
    delay_ns = round(options.pose_delay_s * 1e9)
    recording.poses = {s: T for s in stamps_ns if (T := poses.at(s + delay_ns)) is not None}
    if recording.poses or not options.needs_poses:
        return
    span = poses.span_ns()
    first, last = stamps_ns[0], stamps_ns[-1]
    if span is not None and (last < span[0] or span[1] < first):
        raise BagError(
            f'{bag.path}: images and poses do not overlap in time: images are stamped '
            f'{first / 1e9:.3f} to {last / 1e9:.3f} s, poses from {source} '
            f'{span[0] / 1e9:.3f} to {span[1] / 1e9:.3f} s; do their clocks differ?'
        )
    raise BagError(
        f'{bag.path}: none of {len(stamps_ns)} images lies between two poses from {source} that '
        f'are at most {options.max_gap_s:g} s apart; --max-gap allows longer gaps'
    )
