"""Reading recordings without ROS: rosbag2 (mcap, sqlite3, zstd, in parts) and ROS 1 (.bag)."""

from __future__ import annotations

import errno
import heapq
import re
import struct
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from posemap_ros.extraction.bounded_decompression import bound_rosbags
from posemap_ros.support.untrusted import FileRefused, check_yaml, read_text

bound_rosbags()

ROS1_SUFFIX = '.bag'
STORAGE_SUFFIXES = ('.mcap', '.db3', ROS1_SUFFIX)
_LARGEST_METADATA = 2 << 20  # bytes: 10,000 parts
_TYPES = {'tf/msg/tfMessage': 'tf2_msgs/msg/TFMessage'}  # ROS 1 had the same under an older name


class BagError(ValueError):
    """A recording that cannot be used as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Topic:
    """What a bag holds under one name."""

    name: str
    type: str  # such as 'sensor_msgs/msg/Image'
    count: int


class Bag:
    """An open recording, to be used in a `with` block.

    Raises `BagError` if the recording is missing, empty, cut short, or no recording at all.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __enter__(self) -> Bag:
        parts = _find_parts(self.path)
        self._is_ros1 = _is_ros1(parts[0])
        self._readers = []
        with ExitStack() as stack:
            for part in parts:
                reader = _open(part)
                stack.callback(reader.close)
                self._readers.append(reader)
            counts: dict[tuple[str, str], int] = {}
            for connection in (c for reader in self._readers for c in reader.connections):
                key = (connection.topic, _TYPES.get(connection.msgtype, connection.msgtype))
                counts[key] = counts.get(key, 0) + connection.msgcount
            self.topics = {
                name: Topic(name, kind, count) for (name, kind), count in sorted(counts.items())
            }
            if not any(topic.count for topic in self.topics.values()):
                raise BagError(f'{self.path}: the bag is empty, it holds no messages')
            self._open_readers = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open_readers.close()

    @property
    def span_ns(self) -> tuple[int, int]:
        """When the first and the last message were recorded."""
        readers = [reader for reader in self._readers if reader.message_count]
        return min(r.start_time for r in readers), max(r.end_time for r in readers)

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """(topic, serialized message) of these topics, in the order of recording."""
        streams = []
        for reader in self._readers:
            # An empty list would mean all topics.
            if connections := [c for c in reader.connections if c.topic in topics]:
                streams.append(reader.messages(connections))
        messages = heapq.merge(*streams, key=lambda message: message[1])
        while True:
            try:
                connection, _, data = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise _unreadable(self.path, error) from error
            yield connection.topic, data

    def parse(self, topic: str, data: bytes) -> Any:
        """The message; its fields are as in rclpy."""
        kind = self.topics[topic].type
        try:
            if self._is_ros1:
                return _ros1_types().deserialize_ros1(data, kind)
            return _message_types().deserialize_cdr(data, kind)
        except Exception as error:
            raise BagError(f'{self.path}: a message on {topic} is damaged: {error}') from error

    def stamp_ns(self, topic: str, data: bytes) -> int:
        """The stamp of a message that begins with a header, without parsing the rest of it."""
        try:
            # Four bytes come first: in ROS 2 they tell the byte order, in ROS 1 they count.
            little = self._is_ros1 or data[1] & 1
            seconds, nanoseconds = struct.unpack_from('<iI' if little else '>iI', data, 4)
        except (struct.error, IndexError):
            raise BagError(f'{self.path}: a message on {topic} is damaged: cut short') from None
        return seconds * 1_000_000_000 + nanoseconds

    def describe_topics(self) -> str:
        """'/a (Image), /b (TFMessage)'."""
        return ', '.join(f'{t.name} ({t.type.rsplit("/")[-1]})' for t in self.topics.values())


def _open(part: Path) -> rosbag1.Reader | rosbag2.Reader:
    try:
        reader = (rosbag1 if _is_ros1(part) else rosbag2).Reader(part)
        reader.open()
    except PermissionError:
        raise
    except Exception as error:  # whatever a damaged file makes a parser raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BagError(
                f'{part}: there is no room in {tempfile.gettempdir()} to unpack the compressed '
                'bag; free some, or let TMPDIR name another folder'
            ) from None
        raise _unreadable(part, error) from error
    return reader


def _is_ros1(part: Path) -> bool:
    return part.suffix == ROS1_SUFFIX and part.is_file()  # folders may be called anything


def _unreadable(path: Path, error: Exception) -> BagError:
    reason = ' '.join(str(error).split()).rstrip('.')[:500] or type(error).__name__
    return BagError(
        f'{path}: the bag cannot be read ({reason}); if its recording was cut short, '
        '"mcap recover", "ros2 bag reindex" or "rosbag reindex" may repair it'
    )


@cache
def _message_types() -> Typestore:
    """The messages we read are the same in every ROS 2; the bag's own definitions do not matter.

    Kept, because it compiles a reader for each type that it meets.
    """
    return get_typestore(Stores.ROS2_HUMBLE)


@cache
def _ros1_types() -> Typestore:
    """ROS 1 sends the same numbers in the same order, and a sequence number in each header.

    So its messages are read with the field names of ROS 2.
    """
    store, noetic = get_typestore(Stores.ROS2_HUMBLE), get_typestore(Stores.ROS1_NOETIC)
    header = 'std_msgs/msg/Header'
    store.fielddefs[header], store.types[header] = noetic.fielddefs[header], noetic.types[header]
    return store


def _find_parts(path: Path) -> list[Path]:
    """What to open: a rosbag2 folder with metadata.yaml, or the files that hold the messages."""
    if not path.exists():
        raise BagError(f'{path}: the bag is not there')
    if path.is_file():
        if path.name == 'metadata.yaml':
            return _find_parts(path.parent)
        if path.suffix == '.zstd':
            raise BagError(
                f'{path}: give the folder with its metadata.yaml; where that is lost, '
                f'unpack the file first: zstd -d {path}'
            )
        if path.suffix not in STORAGE_SUFFIXES:
            raise BagError(f'{path}: not a bag; give a rosbag2 folder, a .mcap, .db3 or .bag file')
        if not path.stat().st_size:
            raise BagError(f'{path}: the bag is empty (0 bytes)')
        return [path]
    metadata = path / 'metadata.yaml'
    if metadata.exists():
        try:
            check_yaml(read_text(metadata, _LARGEST_METADATA), str(metadata))
        except FileRefused as error:
            raise BagError(f'{error}; "ros2 bag reindex" writes it anew') from None
        return [path]
    # A recorder that was killed leaves no metadata.yaml, but often files that can be read; and
    # ROS 1 never wrote any.
    files = [file for file in path.iterdir() if file.suffix in STORAGE_SUFFIXES]
    if not files:
        raise BagError(f'{path}: not a bag; there is no metadata.yaml, .mcap, .db3 or .bag in it')
    if len({file.suffix for file in files}) > 1 or (len(files) > 1 and not _are_parts(files)):
        raise BagError(
            f'{path}: holds several recordings, {", ".join(sorted(f.name for f in files)[:3])}, '
            '...: give one of them; if they are parts of one, "ros2 bag reindex" makes the '
            'metadata.yaml that says so'
        )
    return [part for file in sorted(files) for part in _find_parts(file)]


def _are_parts(files: list[Path]) -> bool:
    """Do the names end in _0, _1, _2 and so on, as recorders number the parts of a recording?"""
    numbers = [re.search(r'_(\d+)$', file.stem) for file in files]
    return all(numbers) and sorted(int(n[1]) for n in numbers) == list(range(len(files)))
