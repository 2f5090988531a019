"""What a dataset's own files say: read with their size known, and never beyond its folder."""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath

from posemap_ros.dataset.errors import DatasetError, some
from posemap_ros.dataset.posed_images import PosedFrame
from posemap_ros.support.untrusted import FileRefused, read_text

# 60,000 frames with all their intrinsics.
LARGEST_TEXT = 64 * 2**20
_logger = logging.getLogger(__name__)


def read_listing(path: Path) -> str:
    """The content of a text file that lists frames. Raises `DatasetError`."""
    try:
        text = read_text(path, LARGEST_TEXT)
    except OSError as error:
        raise DatasetError(f'{path}: cannot be read: {error.strerror}') from None
    except FileRefused as error:
        raise DatasetError(str(error)) from None
    if not text.strip():
        raise DatasetError(f'{path}: the file is empty')
    return text


def image_path(folder: Path, listed: str, where: str) -> Path:
    """The place of a listed image. Raises `DatasetError` if that is not below the folder."""
    relative = PurePosixPath(listed.replace('\\', '/'))
    if not relative.name or relative.is_absolute() or '..' in relative.parts or '\0' in listed:
        raise DatasetError(f'{where}: the image {listed!r} lies outside the dataset')
    return folder / relative


def frame_name(folder: Path, path: Path) -> str:
    """What a frame is called: its image's path below the folder, without the ending."""
    return path.relative_to(folder).with_suffix('').as_posix()


def leave_out_missing(frames: list[PosedFrame], source: Path) -> list[PosedFrame]:
    """The frames whose image is there; a warning counts the others.

    Raises `DatasetError` if there is none.
    """
    missing = [frame.name for frame in frames if not frame.path.is_file()]
    if not missing:
        return frames
    note = f'{source}: {some(missing, "image")} listed, but not there'
    if len(missing) == len(frames):
        raise DatasetError(f'{note}; {frames[0].path} would be the first')
    _logger.warning('%s; left out', note)
    left_out = set(missing)
    return [frame for frame in frames if frame.name not in left_out]
