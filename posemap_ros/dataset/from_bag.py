"""From a recording to posed images on disk: bag -> transforms.json and its images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posemap_ros.bag import Bag
from posemap_ros.dataset.bag_frames import Frames, choose_frames, no_progress, write_frames
from posemap_ros.dataset.bag_recording import BagOptions, Progress
from posemap_ros.dataset.coverage import Coverage, measure_coverage
from posemap_ros.dataset.posed_images import PosedFrame
from posemap_ros.dataset.transforms_json import write_transforms_json
from posemap_ros.files import atomic_folder, check_folder_is_free
from posemap_ros.stopwatch import Stopwatch


@dataclass(frozen=True)
class Extraction:
    """What was read, kept and left out."""

    frames: Frames
    coverage: Coverage

    def __str__(self) -> str:
        choice = self.frames.choice
        recording, topics = choice.recording, choice.topics
        images = len(recording.image_stamps_ns)
        left_out = {
            'too close to another one': choice.unmoved,
            'blurred': choice.blurred,
            'without a pose near in time': images - len(recording.poses),
            'damaged': len(choice.damage.faults),
        }
        counts = ', '.join(f'{n} {why}' for why, n in left_out.items() if n)
        lines = [
            f'images from {topics.image}, camera from {topics.camera_info}, '
            f'poses of {recording.camera_frame} in {recording.world_frame or "an unnamed frame"} '
            f'from {recording.pose_source}',
            f'{images} images: {self.coverage.frames} kept'
            + (f'; left out: {counts}' if counts else ''),
        ]
        if recording.invalid_poses:
            lines.append(f'{recording.invalid_poses} invalid poses skipped')
        return '\n'.join([*lines, *self.frames.notes, str(self.coverage)])


def extract_bag(
    path: Path,
    out: Path,
    options: BagOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress = no_progress,
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
        choice = choose_frames(bag, options, progress, stopwatch)
        source = {
            'bag': Path(path).name,
            'image_topic': choice.topics.image,
            'pose_topic': choice.topics.pose or '/tf',
            'camera_frame': choice.recording.camera_frame,
            'world_frame': choice.recording.world_frame,
        }
        # Leaving the folder syncs it to disk, which is most of the writing.
        with stopwatch.section('writing'), atomic_folder(out, overwrite=overwrite) as folder:
            frames = write_frames(bag, choice, folder, options, progress, stopwatch)
            posed = [
                PosedFrame(f'images/{path.stem}', path, T_world_cam, stamp)
                for path, T_world_cam, stamp in zip(frames.paths, frames.poses, frames.stamps_ns)
            ]
            write_transforms_json(folder, frames.camera, posed, source)
    return Extraction(frames, measure_coverage(np.stack(frames.poses)))
