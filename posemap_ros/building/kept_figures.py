"""What a stage found out in its midst, kept for when it is resumed after that."""

from __future__ import annotations

from pathlib import Path

from posemap_ros.support.distributed import is_first
from posemap_ros.support.files import atomic_write
from posemap_ros.support.untrusted import FileRefused, dump_yaml, read_yaml
from posemap_ros.training_loop import InvalidCheckpoint

_LARGEST_FIGURES = 64 << 10  # bytes


def keep_figures(path: Path, figures: dict[str, float]) -> None:
    """Write them, atomically."""
    if is_first():
        with atomic_write(path) as temporary:
            temporary.write_text(dump_yaml(figures))


def kept_figures(path: Path) -> dict[str, float]:
    """What `keep_figures` wrote.

    Raises:
        InvalidCheckpoint: the file is damaged or gone.
    """
    try:
        figures = read_yaml(path, _LARGEST_FIGURES)
        return {str(name): float(value) for name, value in figures.items()}
    except (FileRefused, OSError, AttributeError, TypeError, ValueError) as error:
        raise InvalidCheckpoint(
            f'{path} is damaged ({error}): remove {path.parent}, and this stage begins anew'
        ) from error
