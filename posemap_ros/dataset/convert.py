"""Any dataset in our own form, which nerfstudio reads too."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from posemap_ros.dataset.open_dataset import open_dataset, open_part
from posemap_ros.dataset.posed_images import PosedFrame, PosedImages
from posemap_ros.dataset.transforms_json import ARBITRARY, read_mounts, write_transforms_json
from posemap_ros.support.files import atomic_folder, check_folder_is_free

_FOLDER = PurePosixPath('images')


def convert_dataset(
    root: Path,
    out: Path,
    kind: str | None = None,
    *,
    origin: Sequence[float] = (0.0, 0.0, 0.0),
    overwrite: bool = False,
) -> PosedImages:
    """Write the folder `out` with images/ and transforms.json, complete or not at all.

    Images are hard links where the file system can, else copies. Where the dataset has a part for
    training or for testing, train.txt or test.txt names it. `origin` is the point of the old
    world, in metres, that is the new one's origin. Returns the dataset that was read.

    Raises `DatasetError`, OSError, or FileExistsError if `out` holds anything.
    """
    check_folder_is_free(out, overwrite=overwrite)
    dataset = open_dataset(root, kind=kind)
    parts = {part: open_part(root, part, kind=kind).names for part in ('train', 'test')}
    with atomic_folder(out, overwrite=overwrite) as folder:
        frames = [_place(frame, folder, np.array(origin)) for frame in dataset.frames]
        mounts = read_mounts(root)
        extra = {} if dataset.metric else {'scale': ARBITRARY}
        extra |= {} if mounts is None else {'mounts': mounts.to_dict()}
        write_transforms_json(folder, dataset.camera, frames, extra)
        for part, names in parts.items():
            if len(names) < len(dataset):
                listed = '\n'.join(str(_new_name(name)) for name in names)
                (folder / f'{part}.txt').write_text(f'{listed}\n', encoding='utf-8')
    return dataset


def _place(frame: PosedFrame, folder: Path, origin: np.ndarray) -> PosedFrame:
    """Put the image into the folder, and give the frame as it is there."""
    name = _new_name(frame.name)
    # Not with_suffix: a name that is a time has a point in it.
    path = folder / name.with_name(name.name + frame.path.suffix.lower())
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(frame.path.resolve(), path)
    except OSError:  # another file system, or one without links
        shutil.copyfile(frame.path, path)
    T_world_cam = frame.T_world_cam.copy()
    T_world_cam[:3, 3] -= origin
    return replace(frame, name=str(name), path=path, T_world_cam=T_world_cam)


def _new_name(name: str) -> PurePosixPath:
    """The frame's name below images/."""
    return PurePosixPath(name) if name.startswith(f'{_FOLDER}/') else _FOLDER / name
