"""From a recording to posed images on disk: bag -> transforms.json and its images."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from posemap_ros.bag import Bag, BagError
from posemap_ros.camera import Camera
from posemap_ros.dataset.bag_recording import BagOptions, Progress, Recording, read_recording
from posemap_ros.dataset.bag_topics import BagTopics, choose_topics
from posemap_ros.dataset.coverage import Coverage, measure_coverage
from posemap_ros.dataset.errors import ImageError
from posemap_ros.dataset.image_io import decode_image, encode_image
from posemap_ros.dataset.posed_images import PosedFrame
from posemap_ros.dataset.transforms_json import write_transforms_json
from posemap_ros.files import atomic_folder, check_folder_is_free
from posemap_ros.image_message import UnsupportedImage, to_rgb
from posemap_ros.stopwatch import Stopwatch


@dataclass(frozen=True)
class Extraction:
    """What was read, kept and left out."""

    topics: BagTopics
    recording: Recording
    coverage: Coverage
    unmoved: int
    damaged: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        recording, topics = self.recording, self.topics
        images = len(recording.image_stamps_ns)
        left_out = {
            'too close to the one before': self.unmoved,
            'without a pose near in time': images - len(recording.posed),
            'damaged': self.damaged,
        }
        counts = ', '.join(f'{n} {why}' for why, n in left_out.items() if n)
        lines = [
            f'images from {topics.image}, camera from {topics.camera_info}, '
            f'poses of {recording.camera_frame} in {recording.world_frame or "an unnamed frame"} '
            f'from {topics.pose or "TF"}',
            f'{images} images: {self.coverage.frames} kept'
            + (f'; left out: {counts}' if counts else ''),
        ]
        if recording.invalid_poses:
            lines.append(f'{recording.invalid_poses} invalid poses skipped')
        return '\n'.join([*lines, *self.notes, str(self.coverage)])


def extract_bag(
    path: Path,
    out: Path,
    options: BagOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = lambda items, what, total: nullcontext(items),
    stopwatch: Stopwatch | None = None,
) -> Extraction:
    """Write the frames of a recording to the folder `out`, which appears complete or not at all.

    The pose of each image is interpolated at its stamp. Images that are JPEG or PNG in the bag are
    taken over byte for byte. Raises `BagError`, OSError, or FileExistsError if `out` holds
    anything.
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
            recording = read_recording(bag, topics, options, progress)
            kept = options.selection.choose([T for _, T in recording.posed])
            chosen = dict(recording.posed[index] for index in kept)
        # Leaving the folder syncs it to disk, which is most of the writing.
        with (
            stopwatch.section('writing'),
            atomic_folder(out, overwrite=overwrite) as folder,
        ):
            images = _ImageWriter(folder, recording.camera, topics, stopwatch)
            number = bag.topics[topics.image].count
            with progress(bag.messages({topics.image}), 'writing images', number) as messages:
                for topic, data in stopwatch.each('reading images', messages):
                    stamp = bag.stamp_ns(topic, data)
                    T_world_cam = chosen.pop(stamp, None)
                    if T_world_cam is not None:
                        images.add(bag.parse(topic, data), stamp, T_world_cam)
            images.finish(
                {
                    'bag': Path(path).name,
                    'image_topic': topics.image,
                    'pose_topic': topics.pose or '/tf',
                    'camera_frame': recording.camera_frame,
                    'world_frame': recording.world_frame,
                }
            )
    return Extraction(
        topics=topics,
        recording=recording,
        coverage=measure_coverage(np.stack([frame.T_world_cam for frame in images.frames])),
        unmoved=len(recording.posed) - len(kept),
        damaged=images.damaged,
        notes=(*recording.notes, *images.notes),
    )


@dataclass
class _ImageWriter:
    """Puts images into a folder as files; those that cannot be decoded are counted instead."""

    folder: Path
    camera: Camera
    topics: BagTopics
    stopwatch: Stopwatch
    frames: list[PosedFrame] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damaged: int = 0
    fault: str = ''  # of the last damaged image

    def __post_init__(self) -> None:
        (self.folder / 'images').mkdir()

    def add(self, message: Any, stamp_ns: int, T_world_cam: np.ndarray) -> None:
        """Raises `BagError` for an image that is no colour image, or of another camera."""
        with self.stopwatch.section('decoding'):
            try:
                content, suffix, size = _as_file(message, f'the image at {stamp_ns / 1e9:.3f} s')
            except ImageError as error:
                self.damaged += 1
                self.fault = str(error)
                return
            except UnsupportedImage as error:
                raise BagError(f'{self.topics.image}: {error}') from None
        if size != (self.camera.width, self.camera.height):
            self._fit_camera(*size)
        name = f'images/{len(self.frames):06d}'
        path = self.folder / f'{name}{suffix}'
        path.write_bytes(content)
        self.frames.append(PosedFrame(name, path, T_world_cam, stamp_ns))

    def finish(self, source: dict[str, str]) -> None:
        """Write transforms.json, which makes the folder a dataset."""
        if not self.frames:
            raise BagError(
                f'{self.topics.image}: all chosen images are damaged; for example {self.fault}'
            )
        write_transforms_json(self.folder, self.camera, self.frames, source)

    def _fit_camera(self, width: int, height: int) -> None:
        """Images that were scaled after calibration keep their shape; scale the camera too."""
        camera, topics = self.camera, self.topics
        if self.frames:
            raise BagError(
                f'{topics.image}: images change size on the way, from '
                f'{camera.width}x{camera.height} to {width}x{height}'
            )
        if abs(width * camera.height - height * camera.width) > max(camera.width, camera.height):
            raise BagError(
                f'{topics.image}: images are {width}x{height}, but {topics.camera_info} is of a '
                f'camera of {camera.width}x{camera.height}'
            )
        self.camera = camera.resized(width, height)
        self.notes.append(
            f'note: images are {width}x{height}, {topics.camera_info} is for '
            f'{camera.width}x{camera.height}; the intrinsics are scaled'
        )


def _as_file(message: Any, name: str) -> tuple[bytes, str, tuple[int, int]]:
    """The image as a file's content, its suffix, and (width, height); checked by decoding it."""
    encoding = getattr(message, 'format', None)
    # A compressed Bayer mosaic is a grey JPEG; only decoded does it show the scene.
    if encoding is None or 'bayer' in encoding or 'compressedDepth' in encoding:
        image = to_rgb(message)
        content = encode_image(image, '.jpg')
    else:
        content = bytes(message.data)
        image = decode_image(content, name)
    suffix = '.png' if content.startswith(b'\x89PNG') else '.jpg'
    return content, suffix, (image.shape[1], image.shape[0])
