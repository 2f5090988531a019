"""What compressed recordings may unpack to.

rosbags unpacks whatever it is given, and a few kilobytes can claim and fill all memory, or the
disk. `bound_rosbags` puts decompressors with a bound in the place of its own.
"""

from __future__ import annotations

import bz2
import os
from collections.abc import Callable
from contextlib import contextmanager
from types import SimpleNamespace
from typing import BinaryIO, Protocol

import lz4.frame
from rosbags.rosbag1 import reader as rosbag1
from rosbags.rosbag2 import reader as rosbag2
from rosbags.rosbag2 import storage_mcap

_zstd = rosbag2.zstd  # of Python 3.14, or its backport
LARGEST_BLOCK = 512 << 20  # bytes; a block holds a message, or some
# Of a storage file: black images that were recorded raw shrink to less than a hundredth.
_LARGEST_FILE, _LARGEST_RATIO = 1 << 30, 200


class _Decompressor(Protocol):
    eof: bool
    unused_data: bytes | None

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def bound_rosbags() -> None:
    """From now on, rosbags raises ValueError for what would be too large."""
    zstd, lz4_, bz2_ = map(
        _bounded, (_zstd.ZstdDecompressor, lz4.frame.LZ4FrameDecompressor, bz2.BZ2Decompressor)
    )
    rosbag2.zstd = SimpleNamespace(open=_open_zstd, decompress=zstd)
    storage_mcap.DECOMPRESSORS |= {
        'lz4': lambda data, _: lz4_(data),
        'zstd': lambda data, _: zstd(data),
    }
    rosbag1.decompressors |= {'lz4': lz4_, 'bz2': bz2_}


def _bounded(make: Callable[[], _Decompressor]) -> Callable[[bytes], bytes]:
    def decompress(data: bytes) -> bytes:
        parts, left = [], LARGEST_BLOCK
        while data:
            decompressor = make()
            parts.append(decompressor.decompress(data, max_length=left))
            if not decompressor.eof:
                raise ValueError(
                    f'a compressed block is cut short, or larger than {LARGEST_BLOCK >> 20} MB'
                )
            left -= len(parts[-1])
            data = decompressor.unused_data
        return b''.join(parts)

    return decompress


@contextmanager
def _open_zstd(file: BinaryIO, mode: str) -> SimpleNamespace:
    """A file whose `read` raises as soon as more is unpacked than can be meant."""
    left = max(_LARGEST_FILE, _LARGEST_RATIO * os.fstat(file.fileno()).st_size)
    with _zstd.open(file, mode) as content:

        def read(size: int) -> bytes:
            nonlocal left
            block = content.read(size)
            left -= len(block)
            if left < 0:
                raise ValueError(f'{file.name} would unpack to more than can be meant')
            return block

        yield SimpleNamespace(read=read)
