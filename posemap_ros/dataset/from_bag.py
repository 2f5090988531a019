"""From a recording to posed images on disk: bag -> transforms.json and its images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posemap_ros.bag import Bag, BagError
from posemap_ros.camera import Camera, InvalidCamera
from posemap_ros.camera_info import camera_of
from posemap_ros.dataset.bag_poses import CameraPoses, RecordedPoses
from posemap_ros.dataset.bag_topics import TF_TYPES, BagTopics, choose_topics, is_rectified
from posemap_ros.dataset.coverage import Coverage, measure_coverage
from posemap_ros.dataset.errors import ImageError
from posemap_ros.dataset.frame_selection import FrameSelection
from posemap_ros.dataset.image_io import decode_image, encode_image, image_size
from posemap_ros.dataset.posed_images import PosedFrame
from posemap_ros.dataset.transforms_json import write_transforms_json
from posemap_ros.files import atomic_folder, check_folder_is_free
from posemap_ros.image_message import UnsupportedImage, to_rgb
from posemap_ros.stopwatch import Stopwatch

Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]


@dataclass(frozen=True)
class BagOptions:
    """What to read from a bag, and how to understand it."""

    image_topic: str | None = None  # None: the only one there is
    camera_info_topic: str | None = None
    pose_topic: str | None = None
    poses_from_tf: bool = False
    map_frame: str = 'map'  # with poses_from_tf
    pose_frame: str | None = None  # whose poses the topic holds; None: its child_frame_id
    camera_frame: str | None = None  # None: the frame_id of the images
    rectified: bool | None = None  # None: as the image topic's name says
    max_gap_s: float = 0.25
    skip_invalid_poses: bool = False
    selection: FrameSelection = field(default_factory=FrameSelection)


@dataclass(frozen=True)
class Extraction:
    """What was read, kept and left out."""

    topics: BagTopics
    camera: Camera
    camera_frame: str
    world_frame: str
    coverage: Coverage
    images: int
    without_pose: int
    unmoved: int
    damaged: int
    invalid_poses: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        poses = self.topics.pose or 'TF'
        left_out = {
            'too close to the one before': self.unmoved,
            'without a pose near in time': self.without_pose,
            'damaged': self.damaged,
        }
        counts = [f'{n} {why}' for why, n in left_out.items() if n]
        lines = [
            f'images from {self.topics.image}, camera from {self.topics.camera_info}, '
            f'poses of {self.camera_frame} in {self.world_frame or "an unnamed frame"} '
            f'from {poses}',
            f'{self.images} images: {self.coverage.frames} kept'
            + (f'; left out: {", ".join(counts)}' if counts else ''),
        ]
        if self.invalid_poses:
            lines.append(f'{self.invalid_poses} invalid poses skipped')
        return '\n'.join([*lines, *self.notes, str(self.coverage)])


def extract_bag(
    path: Path,
    out: Path,
    options: BagOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = lambda items, what, total: items,
    stopwatch: Stopwatch | None = None,
) -> Extraction:
    """Write the frames of a recording to the folder `out`, which appears complete or not at all.

    The pose of each image is interpolated at its stamp. Images that are JPEG or PNG in the bag are
    taken over byte for byte. `progress(items, what, total)` passes items on while showing how far
    they are. Raises `BagError`, OSError, or FileExistsError if `out` holds anything.
    """
    options, stopwatch = options or BagOptions(), stopwatch or Stopwatch()
    check_folder_is_free(out, overwrite=overwrite)
    with Bag(path) as bag:
        topics = choose_topics(
            bag,
            options.image_topic,
            options.camera_info_topic,
            options.pose_topic,
            poses_from_tf=options.poses_from_tf,
        )
        with stopwatch.section('reading poses'):
            recording = _read_recording(bag, topics, options, progress)
            frames = _choose_frames(bag, topics, options, recording)
        with atomic_folder(out, overwrite=overwrite) as folder:
            written = _write_images(bag, topics, frames, recording, folder, progress, stopwatch)
            with stopwatch.section('writing'):
                write_transforms_json(
                    folder,
                    written.camera,
                    written.frames,
                    {
                        'bag': Path(path).name,
                        'image_topic': topics.image,
                        'pose_topic': topics.pose or '/tf',
                        'camera_frame': recording.camera_frame,
                        'world_frame': recording.world_frame(options),
                    },
                )
    return Extraction(
        topics=topics,
        camera=written.camera,
        camera_frame=recording.camera_frame,
        world_frame=recording.world_frame(options),
        coverage=measure_coverage(np.stack([f.T_world_cam for f in written.frames])),
        images=len(recording.image_stamps_ns),
        without_pose=len(recording.image_stamps_ns) - frames.with_pose,
        unmoved=frames.with_pose - len(frames.chosen),
        damaged=written.damaged,
        invalid_poses=recording.poses.invalid,
        notes=tuple(recording.notes(topics, options) + written.notes),
    )


@dataclass
class _Recording:
    """What the first pass over a bag finds: everything but the pictures."""

    camera: Camera
    camera_frame: str
    poses: RecordedPoses
    image_stamps_ns: list[int]  # ascending, each once

    def world_frame(self, options: BagOptions) -> str:
        return options.map_frame if options.poses_from_tf else (self.poses.frame_id or '')

    def notes(self, topics: BagTopics, options: BagOptions) -> list[str]:
        """What is allowed, but often a mistake."""
        notes = []
        if 'odom' in self.world_frame(options):
            notes.append(
                'note: the poses are in an odometry frame, which drifts; poses from SLAM or '
                'another map frame give a better environment'
            )
        if 'optical' not in self.camera_frame:
            notes.append(
                f'note: the images are in frame {self.camera_frame!r}, which is taken as an '
                'optical frame: z forward, x right, y down'
            )
        return notes


@dataclass
class _Frames:
    chosen: dict[int, np.ndarray]  # stamp -> T_world_cam, in order of time
    with_pose: int


@dataclass
class _Written:
    camera: Camera
    frames: list[PosedFrame]
    damaged: int
    notes: list[str]


def _read_recording(
    bag: Bag, topics: BagTopics, options: BagOptions, progress: Progress
) -> _Recording:
    """The first pass: the camera, the poses, and when images were taken."""
    poses = RecordedPoses(round(options.max_gap_s * 1e9), options.skip_invalid_poses)
    tf = {name for name, topic in bag.topics.items() if topic.type in TF_TYPES}
    wanted = {topics.image, topics.camera_info, *tf} | ({topics.pose} if topics.pose else set())
    info = None
    camera_frame, stamps = options.camera_frame, set()
    total = sum(bag.topics[name].count for name in wanted)
    for topic, data in progress(bag.messages(wanted), 'reading poses', total):
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
                    f'{bag.path}: {topic} changes during the recording; a camera with fixed zoom '
                    'and one calibration is needed'
                )
        elif topic == topics.pose:
            poses.add_pose(topic, bag.parse(topic, data))
        else:
            poses.add_tf(bag.parse(topic, data), static=topic.endswith('tf_static'))
    if info is None or not stamps:
        missing = topics.image if not stamps else topics.camera_info
        raise BagError(f'{bag.path}: topic {missing} holds no messages; was the bag cut short?')
    if 0 in stamps:
        raise BagError(
            f'{bag.path}: images on {topics.image} have no stamp (it is 0); '
            'without one no pose can be found for them'
        )
    if not camera_frame:
        raise BagError(
            f'{bag.path}: images on {topics.image} have no frame_id; name it with --camera-frame'
        )
    rectified = is_rectified(topics.image) if options.rectified is None else options.rectified
    try:
        camera = camera_of(bag.parse(topics.camera_info, info), rectified)
    except InvalidCamera as error:
        raise BagError(f'{bag.path}: {topics.camera_info}: {error}') from None
    return _Recording(camera, camera_frame, poses, sorted(stamps))


def _choose_frames(
    bag: Bag, topics: BagTopics, options: BagOptions, recording: _Recording
) -> _Frames:
    """Those images that have a pose and show something new."""
    poses = recording.poses.camera_poses(
        recording.camera_frame, topics.pose, options.pose_frame, options.map_frame
    )
    posed = [
        (stamp, T) for stamp in recording.image_stamps_ns if (T := poses.at(stamp)) is not None
    ]
    if not posed:
        raise BagError(_why_no_pose(bag, topics, options, recording, poses))
    chosen = options.selection.choose([T for _, T in posed])
    return _Frames({posed[i][0]: posed[i][1] for i in chosen}, len(posed))


def _why_no_pose(
    bag: Bag,
    topics: BagTopics,
    options: BagOptions,
    recording: _Recording,
    poses: CameraPoses,
) -> str:
    source = topics.pose or 'TF'
    images = recording.image_stamps_ns[0], recording.image_stamps_ns[-1]
    span = poses.span_ns()
    if span is not None and (images[1] < span[0] or span[1] < images[0]):
        return (
            f'{bag.path}: images and poses do not overlap in time: images are stamped '
            f'{images[0] / 1e9:.3f} to {images[1] / 1e9:.3f} s, poses from {source} '
            f'{span[0] / 1e9:.3f} to {span[1] / 1e9:.3f} s; do their clocks differ?'
        )
    return (
        f'{bag.path}: none of {len(recording.image_stamps_ns)} images lies between two poses from '
        f'{source} that are at most {options.max_gap_s:g} s apart; --max-gap allows longer gaps'
    )


def _write_images(
    bag: Bag,
    topics: BagTopics,
    frames: _Frames,
    recording: _Recording,
    folder: Path,
    progress: Progress,
    stopwatch: Stopwatch,
) -> _Written:
    """The second pass: the chosen pictures, checked, as files."""
    (folder / 'images').mkdir()
    written = _Written(recording.camera, [], 0, [])
    waiting = dict(frames.chosen)
    messages = progress(
        bag.messages({topics.image}), 'writing images', bag.topics[topics.image].count
    )
    fault = ''
    for topic, data in stopwatch.each('reading images', messages):
        stamp = bag.stamp_ns(topic, data)
        if (T := waiting.pop(stamp, None)) is None:
            continue
        message = bag.parse(topic, data)
        with stopwatch.section('decoding'):
            try:
                content, suffix, size = _as_file(message, f'{topic} at {stamp / 1e9:.3f} s')
            except ImageError as error:
                written.damaged += 1
                fault = str(error)
                continue
            except UnsupportedImage as error:
                raise BagError(f'{bag.path}: {topic}: {error}') from None
        if not written.frames:
            _fit_camera(written, size, bag, topics)
        elif size != (written.camera.width, written.camera.height):
            raise BagError(
                f'{bag.path}: images on {topic} change size on the way, from '
                f'{written.camera.width}x{written.camera.height} to {size[0]}x{size[1]}'
            )
        name = f'images/{len(written.frames):06d}'
        with stopwatch.section('writing'):
            target = folder / f'{name}{suffix}'
            target.write_bytes(content)
        written.frames.append(PosedFrame(name, target, T, stamp))
    if not written.frames:
        raise BagError(f'{bag.path}: all chosen images are damaged; for example {fault}')
    return written


def _as_file(message: Any, name: str) -> tuple[bytes, str, tuple[int, int]]:
    """The image as a file's content, its suffix, and (width, height); checked by decoding it."""
    encoded = getattr(message, 'format', None)
    # A compressed Bayer mosaic is a grey JPEG; only decoded does it show the scene.
    if encoded is not None and 'bayer' not in encoded and 'Depth' not in encoded:
        content = bytes(message.data)
        size = image_size(content, name)
        decode_image(content, name)
        return content, '.png' if content.startswith(b'\x89PNG') else '.jpg', size
    image = to_rgb(message)
    return encode_image(image, '.jpg'), '.jpg', (image.shape[1], image.shape[0])


def _fit_camera(written: _Written, size: tuple[int, int], bag: Bag, topics: BagTopics) -> None:
    """Images that were scaled after calibration keep their shape; their camera is scaled too."""
    camera = written.camera
    if size == (camera.width, camera.height):
        return
    if abs(size[0] * camera.height - size[1] * camera.width) > max(camera.width, camera.height):
        raise BagError(
            f'{bag.path}: images on {topics.image} are {size[0]}x{size[1]}, but '
            f'{topics.camera_info} is of a camera of {camera.width}x{camera.height}'
        )
    written.camera = camera.resized(*size)
    written.notes.append(
        f'note: images are {size[0]}x{size[1]}, {topics.camera_info} is for '
        f'{camera.width}x{camera.height}; the intrinsics are scaled'
    )
