"""Which of many images structure from motion is given: its time grows faster than their number."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from posemap_ros.dataset.errors import ImageError
from posemap_ros.dataset.image_io import read_file
from posemap_ros.extraction.bag_frames import no_progress
from posemap_ros.extraction.bag_recording import Progress
from posemap_ros.extraction.frame_selection import FrameSelection, runs_between
from posemap_ros.extraction.image_motion import ImageMotion
from posemap_ros.extraction.sharpness import sharpness
from posemap_ros.extraction.small_grey import small_grey_of_file


def choose_photos(
    paths: Sequence[Path],
    most: int,
    needed: Collection[int] = (),
    progress: Progress = no_progress,
) -> list[int]:
    """Indices, in order, of all images if they are at most so many; otherwise of the sharpest each
    time the view has changed, as frames of a bag are chosen, and evenly of these if they still are
    too many. Images that cannot be read are passed over then.

    Args:
        paths: JPEG or PNG files, those of a video in order of time.
        needed: indices to keep in any case.
    """
    if len(paths) <= most:
        return list(range(len(paths)))
    selection = FrameSelection(max_frames=most)
    motion, readable, starts, sharp = ImageMotion(selection.min_image_motion), [], [], []
    with progress(range(len(paths)), 'looking at images', len(paths)) as items:
        for index in items:
            try:
                grey = small_grey_of_file(read_file(paths[index]), str(paths[index]))
            except ImageError:
                continue
            if motion.moved(grey):
                starts.append(len(readable))
            readable.append(index)
            sharp.append(sharpness(grey))
    runs = runs_between(starts, len(readable))
    chosen = selection.choose(runs, np.array(sharp), np.zeros(len(readable), bool))
    return sorted({*(readable[i] for i in chosen), *needed})
