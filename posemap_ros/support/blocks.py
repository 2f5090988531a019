"""Work on many items that goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from posemap_ros.support.files import atomic_write
from posemap_ros.support.progress import progress_bar


class InvalidBlock(ValueError):
    """A file of kept work that cannot be read."""


def in_blocks(
    folder: Path,
    name: str,
    count: int,
    size: int,
    work: Callable[[range], dict[str, np.ndarray]],
    what: str,
) -> dict[str, np.ndarray]:
    """The arrays of all items, one after the other.

    Args:
        folder: where each finished block is kept, and found by the next run.
        name: of the block files; it must tell apart whatever decides the result.
        count: of items.
        size: items in a block.
        work: gives the arrays of a range of items.
        what: shown before the progress bar.

    Raises:
        InvalidBlock: a kept file is damaged.
    """
    parts = []
    starts = range(0, count, size)
    for start in progress_bar(starts, what, len(starts), 'block'):
        path = folder / f'{name}_{start:06d}.safetensors'
        if not path.exists():
            arrays = work(range(start, min(start + size, count)))
            with atomic_write(path) as temporary:
                temporary.write_bytes(
                    save({k: np.ascontiguousarray(v) for k, v in arrays.items()})
                )
        try:
            parts.append(load_file(path))
        except SafetensorError as error:
            raise InvalidBlock(
                f'{path} is damaged ({error}): remove it, and it is made again'
            ) from error
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
