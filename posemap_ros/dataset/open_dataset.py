"""Which reader a folder needs, found by looking at it."""

from __future__ import annotations

from pathlib import Path

from posemap_ros.dataset import seven_scenes, transforms_json
from posemap_ros.dataset.errors import DatasetError
from posemap_ros.dataset.posed_images import PosedImages

# Each has recognises(root) -> bool and read(root) -> PosedImages. The first that fits is taken.
READERS = {'transforms.json': transforms_json, '7-Scenes': seven_scenes}


def open_dataset(root: Path | str, split: Path | str | None = None) -> PosedImages:
    """The posed images in a folder, all or those that a split file names.

    A split file has one frame name per line; empty lines and lines that begin with # are skipped.
    Raises `DatasetError` with the reason.
    """
    root = Path(root)
    if not root.is_dir():
        fault = 'is a file; give the folder it is in' if root.exists() else 'is not there'
        raise DatasetError(f'{root}: the dataset {fault}')
    reader = next((reader for reader in READERS.values() if reader.recognises(root)), None)
    if reader is None:
        hint = ''
        if any(root.glob('frame-*.color.*')):
            hint = f'; this is one sequence of 7-Scenes, give its parent {root.resolve().parent}'
        raise DatasetError(
            f'{root}: this is no dataset of a known kind ({", ".join(READERS)}){hint}'
        )
    dataset = reader.read(root)
    return dataset if split is None else dataset.select(read_split(Path(split)))


def read_split(path: Path) -> list[str]:
    """The frame names in a split file."""
    try:
        lines = [line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines()]
    except OSError as error:
        raise DatasetError(f'{path}: the split cannot be read: {error.strerror}') from None
    except UnicodeDecodeError:
        raise DatasetError(f'{path}: the split is not a text file') from None
    names = [line for line in lines if line and not line.startswith('#')]
    if not names:
        raise DatasetError(f'{path}: the split names no frame')
    return names
