"""One look for all progress bars: what is done, how fast, and the time that is left."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from posemap_ros.support.distributed import is_first


def progress_bar(
    items: Iterable[Any] | None, what: str, total: int, unit: str = 'frame', initial: int = 0
) -> tqdm:
    """A bar on standard error. In a log file, where nobody watches, a line twice a minute."""
    watched = sys.stderr.isatty()
    return tqdm(
        items,
        desc=what,
        total=total,
        unit=unit,
        initial=initial,
        mininterval=0.2 if watched else 30.0,
        maxinterval=10.0 if watched else 60.0,
        dynamic_ncols=watched,
        smoothing=0.05,
        ascii=not watched,
        disable=not is_first(),
    )
