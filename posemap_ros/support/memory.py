"""Keeping freed memory for the next step instead of returning it to the system."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Tell glibc's allocator to reuse large blocks.

    By default each tensor of more than a few hundred kilobytes is fetched from the system anew,
    and the system clears its pages on first touch. On a CPU that costs more than the arithmetic of
    a training step: measured 3.8 times the processor time for NeRF-P (docs/RESULTS.md). Elsewhere
    than on glibc this does nothing.
    """
    if not sys.platform.startswith('linux'):
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
