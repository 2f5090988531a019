"""Which reader a folder needs, found by looking at it, and which of its frames are meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from posemap_ros.camera import Camera
from posemap_ros.dataset import cambridge, colmap, photos, seven_scenes, transforms_json, tum
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.image_size import with_cameras_of_images
from posemap_ros.dataset.listed_files import read_listing
from posemap_ros.dataset.posed_images import PosedImages, without_poses
from posemap_ros.support import commands

# Each is a module with recognises(root) -> bool and read(root) -> PosedImages, and to add one is
# to add it here. The first that recognises a folder reads it: our own form comes first, because
# what was converted to it often lies beside what it came from.
READERS = {
    'transforms': transforms_json,
    '7scenes': seven_scenes,
    'cambridge': cambridge,
    'tum': tum,
    'colmap': colmap,
}
# Of the files of ROS 1 and ROS 2.
_RECORDINGS = ('.bag', '.mcap', '.db3')


def open_dataset(
    root: Path | str, split: Path | str | None = None, kind: str | None = None
) -> PosedImages:
    """The posed images in a folder, all or those that a split file names.

    `kind` names the reader (a key of `READERS`); without it the folder tells. A split file has
    one frame per line, see `PosedImages.select`; empty lines and lines that begin with # are
    skipped. Raises `DatasetError` with the reason.
    """
    dataset = _read(Path(root), kind)
    return dataset if split is None else dataset.select(read_split(Path(split)))


def open_images(
    root: Path | str,
    split: Path | str | None = None,
    kind: str | None = None,
    camera: Camera | None = None,
) -> PosedImages:
    """Like `open_dataset`, but for what needs no poses: a folder of mere images will do.

    Those are taken for `camera`'s, see `photos.read`. Raises `DatasetError` with the reason.
    """
    root = Path(root)
    if kind is not None or is_dataset(root) or not root.is_dir() or is_bag(root):
        return open_dataset(root, split, kind)
    images = photos.read(root, camera)
    return images if split is None else images.select(read_split(Path(split)))


def open_part(
    root: Path | str, part: str, split: Path | str | None = None, kind: str | None = None
) -> PosedImages:
    """The frames to use as 'train' or as 'test'.

    Those that `split` names; without it those in the folder's train.txt or test.txt; without that
    those that the dataset's authors meant, if they said; else all. Raises `DatasetError`.
    """
    dataset = open_dataset(root, split, kind)
    return dataset if split else select_part(dataset, part)


def select_part(dataset: PosedImages, part: str) -> PosedImages:
    """The frames to use as 'train' or as 'test', see `open_part`."""
    return dataset.select(part_names(dataset, part) or dataset.names)


def part_names(dataset: PosedImages, part: str) -> Sequence[str]:
    """The frames meant as 'train' or 'test': by the folder's train.txt or test.txt, else by the
    dataset's authors; none if nobody said. Raises `DatasetError`.
    """
    own = dataset.root / f'{part}.txt'
    return read_split(own) if own.is_file() else dataset.parts.get(part, ())


def read_split(path: Path) -> list[str]:
    """The frame names in a split file."""
    lines = [line.strip() for line in read_listing(path).splitlines()]
    names = [line for line in lines if line and not line.startswith('#')]
    if not names:
        raise DatasetError(f'{path}: the split names no frame')
    return names


def is_dataset(root: Path | str) -> bool:
    """Is there a reader for this folder?"""
    return _find_reader(Path(root)) is not None


def is_bag(path: Path | str) -> bool:
    """Is this a recording of ROS?"""
    path = Path(path)
    if path.is_dir():
        return any(file.suffix in _RECORDINGS for file in path.iterdir())
    return path.is_file() and path.suffix in _RECORDINGS


def _find_reader(root: Path) -> ModuleType | None:
    return next((reader for reader in READERS.values() if reader.recognises(root)), None)


def _read(root: Path, kind: str | None) -> PosedImages:
    if kind is None and not is_dataset(root) and is_bag(root):
        shown = commands.stage('extract_bag', root, '--list')
        raise DatasetError(f'{root}: this is a bag; extract its images and poses: {shown}')
    if not root.is_dir():
        fault = 'is a file; give the folder it is in' if root.exists() else 'is not there'
        raise DatasetError(f'{root}: the dataset {fault}')
    if kind is not None:
        if kind not in READERS:
            raise DatasetError(
                f'there is no dataset format {kind!r}; known are {", ".join(READERS)}'
            )
        return with_cameras_of_images(READERS[kind].read(root))
    reader = _find_reader(root)
    if reader is None:
        if any(root.glob('frame-*.pose.txt')):
            raise DatasetError(
                f'{root}: this is one sequence of 7-Scenes, give its parent '
                f'{root.resolve().parent}'
            )
        if photos.are_photos(root):
            raise DatasetError(without_poses(root))
        raise DatasetError(f'{root}: this is no dataset of a known kind ({", ".join(READERS)})')
    return with_cameras_of_images(reader.read(root))
