"""What the pose of the most similar image would give: a floor that training should beat."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from posemap_ros.check.findings import Finding
from posemap_ros.check.split import Split
from posemap_ros.check.timeline import Timeline
from posemap_ros.dataset import PosedImages
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.evaluation.retrieval import retrieve_poses

_BACKBONE = 'efficientnet_lite0'  # its weights come with the package, and it is fast
_SHORTER_SIDE_PX = 96
_MOST_KNOWN, _MOST_ASKED = 300, 50
_BLOCKS = 10  # of a drive without a split; the middle of every other one is asked for
_BLOCK_CORE = (0.25, 0.75)
_CONFUSED = 5.0  # retrieval this many times worse than the nearest image there is


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Errors [q] of the most similar image's pose, and of the nearest pose there is."""

    found_m: np.ndarray
    found_deg: np.ndarray
    nearest_m: np.ndarray
    by_split: bool


def measure_retrieval(
    dataset: PosedImages, poses: np.ndarray, timeline: Timeline, split: Split | None
) -> Retrieval:
    """For test frames, or else for blocks of the drive with their surroundings left out.

    Raises `DatasetError` if an image cannot be read.
    """
    known, asked = (split.train, split.test) if split else leave_out_blocks(timeline.order)
    known, asked = _thin(known, _MOST_KNOWN), _thin(asked, _MOST_ASKED)
    database, queries = (
        replace(
            dataset,
            frames=tuple(replace(dataset.frames[i], T_world_cam=poses[i]) for i in part),
        )
        for part in (known, asked)
    )
    camera = dataset.camera.undistorted().with_shorter_side(_SHORTER_SIDE_PX)
    found = retrieve_poses(database, queries, camera, _BACKBONE)
    nearest = [translation_error_m(poses[known], poses[i]).min() for i in asked]
    return Retrieval(
        translation_error_m(found, poses[asked]),
        rotation_error_deg(found, poses[asked]),
        np.array(nearest),
        split is not None,
    )


def judge_retrieval(retrieval: Retrieval, unit: str = 'm') -> Finding:
    found, nearest = np.median(retrieval.found_m), np.median(retrieval.nearest_m)
    whose = 'test frames' if retrieval.by_split else 'blocks left out of the drive'
    text = (
        f'the most similar image is {found:.2f} {unit} and '
        f'{np.median(retrieval.found_deg):.1f} deg away (median over {len(retrieval.found_m)} '
        f'images of {whose}); the nearest there is, {nearest:.2f} {unit}. Expect training to do '
        'better than the former'
    )
    far = np.mean(retrieval.found_m > np.maximum(_CONFUSED * retrieval.nearest_m, 2 * found))
    if far > 0.25:
        return Finding(
            'expected accuracy',
            'warning',
            f'{text}; {100 * far:.0f} % of the images look most like another place',
            'where places look alike, a pose from one image can be wrong by their distance',
        )
    return Finding('expected accuracy', 'ok', text)


def leave_out_blocks(order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames in order of time -> those that are known, and those asked for, with a margin between.

    Frames next to each other are nearly the same image; only with blocks left out the error is
    that of a new drive.
    """
    block = np.arange(len(order)) * _BLOCKS / len(order)
    odd, within = block.astype(int) % 2 == 1, block % 1
    core = odd & (within >= _BLOCK_CORE[0]) & (within < _BLOCK_CORE[1])
    return order[~odd], order[core]


def _thin(indices: np.ndarray, most: int) -> np.ndarray:
    places = np.linspace(0, len(indices) - 1, min(most, len(indices))).round().astype(int)
    return indices[places]
