"""Dividing a dataset into training and test frames that test something.

Neighbours in a drive are nearly the same picture: to test on every n-th frame is to test on the
training data. So whole drives are held out where there are several, and otherwise stretches of the
one drive, with a margin around them that belongs to neither part.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posemap_ros.dataset.drives import find_drives
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.posed_images import PosedImages
from posemap_ros.evaluation.errors import rotation_error_deg, translation_error_m
from posemap_ros.support.files import atomic_write

_SHORTEST_BLOCK = 10  # frames


@dataclass(frozen=True)
class SplitOptions:
    """How to divide."""

    test_share: float = 0.2
    blocks: int = 8  # of test frames in a single drive; fewer where they would be too short
    margin_frames: int = 5  # of each camera, before and after each block
    margin_m: float = 0.05  # a training frame is this far from every test frame,
    margin_deg: float = 3.0  # or looks another way by this much

    def __post_init__(self) -> None:
        if not 0 < self.test_share < 1:
            raise DatasetError('the share of test frames must be between 0 and 1')
        if self.blocks < 1 or min(self.margin_frames, self.margin_m, self.margin_deg) < 0:
            raise DatasetError('blocks must be at least 1, and margins must not be negative')


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of frames, in order; what is in neither is margin."""

    train: np.ndarray
    test: np.ndarray
    drives: tuple[str, ...]  # that were held out as a whole, if any

    def describe(self, dataset: PosedImages) -> str:
        """How many frames, and how far test frames are from training frames."""
        left_out = len(dataset) - len(self.train) - len(self.test)
        poses = dataset.poses
        nearest_m = [translation_error_m(poses[self.train], poses[i]).min() for i in self.test]
        how = f'drives {", ".join(self.drives)} held out' if self.drives else 'blocks held out'
        return (
            f'{len(self.train)} training and {len(self.test)} test frames, {left_out} of margin; '
            f'{how}; the nearest training frame is '
            f'{np.median(nearest_m):.3f} {dataset.unit} away (median)'
        )


def make_split(dataset: PosedImages, options: SplitOptions | None = None) -> Split:
    """Whole drives where there are several, see `find_drives`, else blocks with margins.

    Drives that pass the same places at another time are a fair test, so they have no margin.
    Raises `DatasetError` where nothing would be left to train on.
    """
    options = options or SplitOptions()
    drives = find_drives(dataset)
    if len(drives) > 1:
        held_out = _choose_drives({d.name: len(d.frames) for d in drives}, options)
        test = np.concatenate([d.frames for d in drives if d.name in held_out])
        return Split(np.setdiff1d(np.arange(len(dataset)), test), np.sort(test), held_out)
    (drive,) = drives
    tested, nearby = _choose_blocks(int(drive.moments.max()) + 1, options)
    test = np.sort(drive.frames[np.isin(drive.moments, tested)])
    candidates = np.sort(drive.frames[~np.isin(drive.moments, nearby)])
    poses = dataset.poses
    too_close = np.zeros(len(candidates), bool)
    for index in test:
        near = translation_error_m(poses[candidates], poses[index]) < options.margin_m
        alike = rotation_error_deg(poses[candidates], poses[index]) < options.margin_deg
        too_close |= near & alike
    train = candidates[~too_close]
    if len(train) == 0:
        raise DatasetError(
            f'{dataset.root}: no training frame is outside the margins of the test frames; the '
            'drive is too short, or the camera hardly moved: choose smaller margins or fewer '
            'blocks'
        )
    return Split(train, test, ())


def write_split(
    dataset: PosedImages, split: Split, folder: Path, *, overwrite: bool = False
) -> None:
    """Write train.txt and test.txt, both or neither. Raises `DatasetError` if there is one."""
    paths = folder / 'train.txt', folder / 'test.txt'
    for path in paths:
        if path.exists() and not overwrite:
            raise DatasetError(f'{path} is there already; --overwrite replaces it')
    names = dataset.names
    with atomic_write(paths[0]) as train, atomic_write(paths[1]) as test:
        for temporary, part in ((train, split.train), (test, split.test)):
            temporary.write_text('\n'.join(names[i] for i in part) + '\n', encoding='utf-8')


def _choose_drives(sizes: dict[str, int], options: SplitOptions) -> tuple[str, ...]:
    """From the last one on, as long as that comes closer to the share; at least one."""
    wanted = options.test_share * sum(sizes.values())
    chosen: list[str] = []
    count = 0
    for name in reversed(sizes):
        if len(chosen) == len(sizes) - 1:
            break
        if not chosen or abs(count + sizes[name] - wanted) < abs(count - wanted):
            chosen.append(name)
            count += sizes[name]
    return tuple(reversed(chosen))


def _choose_blocks(count: int, options: SplitOptions) -> tuple[np.ndarray, np.ndarray]:
    """Of so many moments those to test, in blocks in the middle of equal stretches of the drive;
    and those with the margins before and after.
    """
    wanted = max(1, round(options.test_share * count))
    blocks = max(1, min(options.blocks, wanted // _SHORTEST_BLOCK))
    stretches = np.array_split(np.arange(count), blocks)
    lengths = [len(part) for part in np.array_split(np.arange(wanted), blocks)]
    test, nearby = [], []
    for stretch, length in zip(stretches, lengths, strict=True):
        start = stretch[0] + (len(stretch) - length) // 2
        test.append(np.arange(start, start + length))
        nearby.append(
            np.arange(start - options.margin_frames, start + length + options.margin_frames)
        )
    return np.concatenate(test), np.concatenate(nearby)
