"""Reading rosbag2 recordings (mcap, sqlite3, zstd) without ROS."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

STORAGE_SUFFIXES = ('.mcap', '.db3')


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
        storage = _find_storage(self.path)
        try:
            self._reader = Reader(storage)
            self._reader.open()
        except Exception as error:  # whatever a damaged file makes a parser raise
            raise self._unreadable(error) from error
        counts: dict[tuple[str, str], int] = {}
        for connection in self._reader.connections:
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
        self.topics = {name: Topic(name, kind, n) for (name, kind), n in sorted(counts.items())}
        if not any(topic.count for topic in self.topics.values()):
            self._reader.close()
            raise BagError(f'{self.path}: the bag is empty, it holds no messages')
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    @property
    def span_ns(self) -> tuple[int, int]:
        """When the first and the last message were recorded."""
        return self._reader.start_time, self._reader.end_time

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """(topic, serialized message) of these topics, in the order of recording."""
        connections = [c for c in self._reader.connections if c.topic in topics]
        if not connections:
            return
        messages = self._reader.messages(connections)
        while True:
            try:
                connection, _, data = next(messages)
            except StopIteration:
                return
            except Exception as error:
                raise self._unreadable(error) from error
            yield connection.topic, data

    def parse(self, topic: str, data: bytes) -> Any:
        """The message; its fields are as in rclpy."""
        try:
            return _message_types().deserialize_cdr(data, self.topics[topic].type)
        except Exception as error:
            raise BagError(f'{self.path}: a message on {topic} is damaged: {error}') from error

    def stamp_ns(self, topic: str, data: bytes) -> int:
        """The stamp of a message that begins with a header, without parsing the rest of it."""
        try:
            seconds, nanoseconds = struct.unpack_from('<iI' if data[1] & 1 else '>iI', data, 4)
        except (struct.error, IndexError):
            raise BagError(f'{self.path}: a message on {topic} is damaged: cut short') from None
        return seconds * 1_000_000_000 + nanoseconds

    def describe_topics(self) -> str:
        """'/a (Image), /b (TFMessage)'."""
        return ', '.join(f'{t.name} ({t.type.rsplit("/")[-1]})' for t in self.topics.values())

    def _unreadable(self, error: Exception) -> BagError:
        reason = ' '.join(str(error).split()).rstrip('.') or type(error).__name__
        return BagError(
            f'{self.path}: the bag cannot be read ({reason}); if its recording was cut short, '
            '"mcap recover" or "ros2 bag reindex" may repair it'
        )


@cache
def _message_types() -> Typestore:
    """The messages we read are the same in every ROS 2; the bag's own definitions do not matter.

    Kept, because it compiles a reader for each type that it meets.
    """
    return get_typestore(Stores.ROS2_HUMBLE)


def _find_storage(path: Path) -> Path:
    """What the reader should open: the folder, or the one file that holds the messages."""
    if not path.exists():
        raise BagError(f'{path}: the bag is not there')
    if path.is_file():
        if path.name == 'metadata.yaml':
            return _find_storage(path.parent)
        if path.suffix == '.bag':
            raise BagError(
                f'{path}: this is a ROS 1 bag; convert it first: rosbags-convert --src {path} '
                f'--dst {path.with_suffix("")}'
            )
        if path.suffix not in STORAGE_SUFFIXES:
            raise BagError(f'{path}: not a bag; give a rosbag2 folder, a .mcap or a .db3 file')
        if not path.stat().st_size:
            raise BagError(f'{path}: the bag is empty (0 bytes)')
        return path
    if (path / 'metadata.yaml').exists():
        return path
    # A recorder that was killed leaves no metadata.yaml, but often a file that can be read.
    files = sorted(file for file in path.iterdir() if file.suffix in STORAGE_SUFFIXES)
    if not files:
        raise BagError(f'{path}: not a bag; there is no metadata.yaml, .mcap or .db3 in it')
    if len(files) > 1:
        raise BagError(
            f'{path}: metadata.yaml is missing; "ros2 bag reindex {path}" makes it anew'
        )
    return _find_storage(files[0])
