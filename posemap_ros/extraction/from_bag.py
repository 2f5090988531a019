"""From a recording to posed images on disk: bag -> transforms.json and its images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from posemap_ros.dataset.calibration import FILE_NAME as CALIBRATION
from posemap_ros.dataset.calibration import write_calibration
from posemap_ros.dataset.coverage import Coverage, measure_coverage
from posemap_ros.dataset.mounts import Mounts
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.dataset.transforms_json import ARBITRARY, METRIC, write_transforms_json
from posemap_ros.extraction.bag import Bag
from posemap_ros.extraction.bag_frames import Frames, choose_frames, no_progress, write_frames
from posemap_ros.extraction.bag_recording import BagOptions, Progress
from posemap_ros.extraction.sfm import (
    MOST_IMAGES,
    SfmPoses,
    how_to_scale,
    structure_from_motion,
)
from posemap_ros.support.files import atomic_folder, check_folder_is_free
from posemap_ros.support.stopwatch import Stopwatch


@dataclass(frozen=True)
class Extraction:
    """What was read, kept and left out."""

    frames: Frames
    coverage: Coverage | None  # of the poses, where there are any
    unregistered: int = 0  # images that structure from motion found no pose for
    report: tuple[str, ...] = ()  # what it says
    mount: str = ''  # which frame's poses fit the images, as a sentence

    def __str__(self) -> str:
        choice = self.frames.choice
        recording, topics = choice.recording, choice.topics
        images = len(recording.image_stamps_ns)
        left_out = {
            'too close to another one': choice.unmoved,
            'blurred': choice.blurred,
            'without a pose near in time': choice.unposed,
            'damaged': len(choice.damage.faults),
            'that fit no others': self.unregistered,
        }
        counts = ', '.join(f'{n} {why}' for why, n in left_out.items() if n)
        if self.coverage is None:
            poses = 'no poses'
        elif self.report:
            poses = 'poses from the images alone'
        else:
            world = recording.world_frame or 'an unnamed frame'
            poses = f'poses of {recording.camera_frame} in {world} from {recording.pose_source}'
        lines = [
            f'images from {topics.image}, camera from {topics.camera_info}, {poses}',
            f'{images} images: {len(self.frames.paths) - self.unregistered} kept'
            + (f'; left out: {counts}' if counts else ''),
        ]
        if recording.invalid_poses:
            lines.append(f'{recording.invalid_poses} invalid poses skipped')
        said = [*self.frames.notes, *self.report]
        return '\n'.join([*lines, *said, *(str(s) for s in (self.coverage, self.mount) if s)])


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

    The pose of each image is interpolated at its stamp, or, with the pose source 'sfm', found from
    the images, at most `MOST_IMAGES` unless the options say how many; with 'none', there are
    images and camera.yaml only. Those that are JPEG or PNG in the bag are taken over byte for
    byte. Raises `BagError`, `DatasetError`, OSError, or FileExistsError if `out` holds anything.
    """
    options, stopwatch = options or BagOptions(), stopwatch or Stopwatch()
    check_folder_is_free(out, overwrite=overwrite)
    limited = options.pose_source == 'sfm' and options.selection.max_frames is None
    if limited:
        selection = replace(options.selection, max_frames=MOST_IMAGES)
        options = replace(options, selection=selection)
    with Bag(path) as bag:
        choice = choose_frames(bag, options, progress, stopwatch)
        # Leaving the folder syncs it to disk, which is most of the writing.
        with stopwatch.section('writing'), atomic_folder(out, overwrite=overwrite) as folder:
            frames = write_frames(bag, choice, folder, options, progress, stopwatch)
            if options.pose_source == 'none':
                write_calibration(folder / CALIBRATION, frames.camera)
                return Extraction(frames, None)
            camera, poses, report = frames.camera, frames.poses, ()
            mounts, mount, scale = choice.recording.mounts, '', METRIC
            source = {
                'bag': Path(path).name,
                'image_topic': choice.topics.image,
                'camera_frame': choice.recording.camera_frame,
            }
            if options.pose_source == 'sfm':
                with stopwatch.section('structure from motion'):
                    found = _find_poses(frames, options, progress)
                camera, poses, report = found.camera, found.T_world_cam, found.report
                if limited and len(choice.stamps_ns) == MOST_IMAGES:
                    report = (
                        f'structure from motion was given {MOST_IMAGES} frames at most, spread '
                        'evenly over the recording; --max-frames N allows more',
                        *report,
                    )
                source['scale'] = scale = found.scale
            else:
                source['pose_topic'] = choice.topics.pose or '/tf'
                source['world_frame'] = choice.recording.world_frame
                if mounts is not None:
                    source['mounts'] = mounts.to_dict()
            posed = []
            for file, T_world_cam, stamp in zip(frames.paths, poses, frames.stamps_ns):
                if T_world_cam is None:
                    file.unlink()
                else:
                    posed.append(PosedFrame(f'images/{file.stem}', file, T_world_cam, stamp))
            write_transforms_json(folder, camera, posed, source)
            if mounts is not None and mounts.corrections():
                with stopwatch.section('testing the pose frame'):
                    dataset = PosedImages(folder, camera, tuple(posed))
                    mount = _test_mounts(dataset, mounts, progress)
    poses = np.stack([frame.T_world_cam for frame in posed])
    return Extraction(
        frames,
        measure_coverage(poses, 'units' if scale == ARBITRARY else 'm'),
        unregistered=len(frames.paths) - len(posed),
        report=(*report, *how_to_scale(out, scale)),
        mount=mount,
    )


def _test_mounts(dataset: PosedImages, mounts: Mounts, progress: Progress) -> str:
    from posemap_ros.check.mounts import judge_mounts  # here: most bags offer one frame alone

    def shown(items: Iterable[Any], what: str, total: int) -> Iterator[Any]:
        with progress(items, what, total) as watched:
            yield from watched

    return judge_mounts(dataset, mounts, shown)


def _find_poses(frames: Frames, options: BagOptions, progress: Progress) -> SfmPoses:
    known = frames.poses
    return structure_from_motion(
        frames.paths,
        frames.camera,
        metric_poses=known if any(T is not None for T in known) else None,
        distance=options.distance,
        progress=progress,
    )
