"""Reading files that anyone may have written.

Their kind and size are looked at before they are read, and what they hold can take no more time
and memory than its size allows.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import yaml

_DEEPEST = 32  # lists and mappings inside each other
_LONGEST_NUMBER = 64  # characters


class FileRefused(ValueError):
    """A file that is not what it should be; the sentence names it."""


@contextmanager
def open_regular(path: Path, most: int) -> Iterator[BinaryIO]:
    """The file, open for reading.

    Raises:
        FileRefused: a pipe or a device, or larger than `most` bytes.
        OSError: it is missing or cannot be read.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK)  # a pipe would wait for who writes to it

    with open(path, 'rb', opener=opener) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileRefused(f'{path} is a pipe or a device, not a file')
        if status.st_size > most:
            raise FileRefused(f'{path} has {_size(status.st_size)}, and at most {_size(most)} fit')
        yield file


def read_bytes(path: Path, most: int) -> bytes:
    """The content of a file of at most `most` bytes; raises as `open_regular` does."""
    with open_regular(path, most) as file:
        return file.read(most)


def read_text(path: Path, most: int) -> str:
    """The content of a file in UTF-8. Raises `FileRefused`, OSError."""
    try:
        return read_bytes(path, most).decode('utf-8-sig')
    except UnicodeDecodeError:
        raise FileRefused(f'{path} is not a text file') from None


def read_json(path: Path, most: int) -> Any:
    """What a JSON file holds. Raises `FileRefused`, OSError."""
    try:
        return json.loads(read_text(path, most))
    except FileRefused:
        raise
    except (ValueError, RecursionError) as error:
        raise FileRefused(f'{path} is not JSON: {error}') from None


def read_yaml(path: Path, most: int) -> Any:
    """What a YAML file holds, see `parse_yaml`. Raises `FileRefused`, OSError."""
    return parse_yaml(read_text(path, most), str(path))


def parse_yaml(text: str, name: str) -> Any:
    """What YAML text holds; `name` begins errors.

    Aliases, tags and deep nesting are refused: with them a short text can make a large thing.

    Raises:
        FileRefused: that, or no YAML.
    """
    check_yaml(text, name)
    try:
        return yaml.load(text, _Loader)  # a safe loader
    except (yaml.YAMLError, ValueError) as error:
        raise _not_yaml(name, error) from None


def check_yaml(text: str, name: str) -> None:
    """Raise what `parse_yaml` does for the text's form, for other parsers' sake."""
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise FileRefused(f'{name} is nested more than {_DEEPEST} levels deep')
            if isinstance(event, yaml.AliasEvent) or getattr(event, 'tag', None):
                line = event.start_mark.line + 1
                raise FileRefused(f'{name}: line {line} holds an alias or a tag; write it out')
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, FileRefused):
            raise
        raise _not_yaml(name, error) from None


def dump_yaml(values: Any) -> str:
    """Plain values as `parse_yaml` takes them: whatever is there twice is written twice."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)


class _Loader(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
    """Without the numbers of YAML 1.1 whose digits would take minutes to add up."""

    def resolve(self, kind: type[yaml.Node], value: str, implicit: Any) -> str:
        if kind is yaml.ScalarNode and len(value) > _LONGEST_NUMBER:
            return self.DEFAULT_SCALAR_TAG
        return super().resolve(kind, value, implicit)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _not_yaml(name: str, error: Exception) -> FileRefused:
    return FileRefused(f'{name} is not YAML: {" ".join(str(error).split())}')


def _size(count: int) -> str:
    return f'{count / 2**20:.3g} MB'
