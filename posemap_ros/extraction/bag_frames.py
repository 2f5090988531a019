"""From a recording to frames on disk: which images to keep, and writing them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posemap_ros.camera import Camera
from posemap_ros.extraction.bag import Bag, BagError
from posemap_ros.extraction.bag_images import Damage, ImageWriter, look_at_images
from posemap_ros.extraction.bag_recording import BagOptions, Progress, Recording, read_recording
from posemap_ros.extraction.bag_topics import BagTopics, choose_topics
from posemap_ros.extraction.frame_selection import runs_between
from posemap_ros.extraction.image_motion import ImageMotion
from posemap_ros.extraction.sharpness import find_blurred
from posemap_ros.support.stopwatch import Stopwatch


@dataclass(frozen=True)
class Choice:
    """Which images of a recording are worth keeping."""

    topics: BagTopics
    recording: Recording
    stamps_ns: list[int]  # of the images to keep, in order of time
    unposed: int  # images left out, because no pose is near in time
    unmoved: int  # because they are close to another one
    blurred: int
    damage: Damage


@dataclass(frozen=True)
class Frames:
    """Images [n] of a recording as files, in order of time, and what else is known of them."""

    choice: Choice
    camera: Camera  # of the files
    paths: tuple[Path, ...]
    stamps_ns: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def poses(self) -> list[np.ndarray | None]:
        """T_world_cam [4, 4] of each, from the pose topic or TF; None where it is not known."""
        return [self.choice.recording.poses.get(stamp) for stamp in self.stamps_ns]


def no_progress(
    items: Iterable[Any], what: str, total: int
) -> AbstractContextManager[Iterable[Any]]:
    """For callers who do not want to watch."""
    return nullcontext(items)


def choose_frames(
    bag: Bag,
    options: BagOptions,
    progress: Progress = no_progress,
    stopwatch: Stopwatch | None = None,
) -> Choice:
    """Read everything but the pictures of an open bag, then glance at those.

    Where they need no poses, images are chosen by how the picture moves; otherwise by how the
    camera does, and each has a pose. Raises `BagError`.
    """
    stopwatch = stopwatch or Stopwatch()
    topics = choose_topics(
        bag,
        options.image_topic,
        options.camera_info_topic,
        options.pose_topic,
        pose_source=options.pose_source,
    )
    with stopwatch.section('reading poses'):
        recording = read_recording(bag, topics, options, progress)
    selection, damage = options.selection, Damage(topics.image)
    if not options.needs_poses:
        motion, stamps = ImageMotion(selection.min_image_motion), recording.image_stamps_ns
    else:
        motion, stamps = None, list(recording.poses)
    unposed = len(recording.image_stamps_ns) - len(stamps)
    stamps = stamps[:: selection.every]
    if motion is None and not selection.skip_blurred:
        kept = selection.choose(selection.runs([recording.poses[s] for s in stamps]))
        return Choice(
            topics,
            recording,
            stamps_ns=[stamps[index] for index in kept],
            unposed=unposed,
            unmoved=len(stamps) - len(kept),
            blurred=0,
            damage=damage,
        )

    with (
        stopwatch.section('looking at images'),
        _images(bag, topics, 'looking at images', progress) as messages,
    ):
        looks = look_at_images(bag, messages, stamps, motion, damage)
    if not looks:
        raise BagError(damage.of_all())
    stamps = [look.stamp_ns for look in looks]
    if motion is None:
        runs = selection.runs([recording.poses[s] for s in stamps])
    else:
        starts = {0, *(i for i, look in enumerate(looks) if look.moved)}
        runs = runs_between(sorted(starts), len(looks))
    blurred = np.zeros(len(looks), bool)
    if selection.skip_blurred:
        sharpness = np.array([look.sharpness for look in looks])
        blurred = find_blurred(sharpness, np.array(stamps, np.int64))
        kept = selection.choose(runs, sharpness, blurred)
    else:
        kept = selection.choose(runs)
    return Choice(
        topics,
        recording,
        stamps_ns=[stamps[i] for i in kept],
        unposed=unposed,
        unmoved=int((~blurred).sum()) - len(kept),
        blurred=int(blurred.sum()),
        damage=damage,
    )


def write_frames(
    bag: Bag,
    choice: Choice,
    folder: Path,
    options: BagOptions,
    progress: Progress = no_progress,
    stopwatch: Stopwatch | None = None,
) -> Frames:
    """Write the chosen images to `folder`/images. Raises `BagError` if all are damaged."""
    stopwatch = stopwatch or Stopwatch()
    topics, recording, damage = choice.topics, choice.recording, choice.damage
    writer = ImageWriter(folder, recording.camera, topics, options.undistort, damage, stopwatch)
    waiting = set(choice.stamps_ns)
    with (
        stopwatch.section('writing'),
        _images(bag, topics, 'writing images', progress) as messages,
    ):
        for topic, data in stopwatch.each('reading images', messages):
            stamp = bag.stamp_ns(topic, data)
            if stamp in waiting:
                waiting.remove(stamp)
                writer.add(bag.parse(topic, data), stamp)
    if not writer.written:
        raise BagError(damage.of_all())
    notes = [*recording.notes, *writer.notes]
    if damage.faults:
        notes.append(f'note: damaged images are left out; for example {damage.example}')
    written = sorted(writer.written)
    return Frames(
        choice=choice,
        camera=writer.camera,
        paths=tuple(path for _, path in written),
        stamps_ns=tuple(stamp for stamp, _ in written),
        notes=tuple(notes),
    )


def _images(
    bag: Bag, topics: BagTopics, what: str, progress: Progress
) -> AbstractContextManager[Iterable[Any]]:
    return progress(bag.messages({topics.image}), what, bag.topics[topics.image].count)
