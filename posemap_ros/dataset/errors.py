"""What can be wrong with a dataset, in words."""

from __future__ import annotations

from posemap_ros.support.printable import printable


class DatasetError(ValueError):
    """A dataset that cannot be used as it is; the message says where and what to do."""


class ImageError(DatasetError):
    """A file that is not the image it should be."""


def some(names: list[str], what: str) -> str:
    """'5 frames (a, b, c, ...) are' or '1 frame (a) is': a count with a few examples."""
    shown = ', '.join(printable(name) for name in names[:3]) + (', ...' if len(names) > 3 else '')
    plural, verb = ('s', 'are') if len(names) > 1 else ('', 'is')
    return f'{len(names)} {what}{plural} ({shown}) {verb}'
