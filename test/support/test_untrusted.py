"""Files of the wrong kind, too large, or made to cost more than they hold."""

import os
import re
from pathlib import Path

import pytest
import yaml

from posemap_ros.support.untrusted import (
    FileRefused,
    dump_yaml,
    parse_yaml,
    read_bytes,
    read_json,
    read_text,
    read_yaml,
)


def refused(pattern: str):
    return pytest.raises(FileRefused, match=pattern)


def test_what_is_plain_is_read(tmp_path: Path) -> None:
    path = tmp_path / 'it.yaml'
    path.write_text('a: [1, 2.5, yes, ~]\nb: {c: "text"}\n')
    assert read_yaml(path, 1000) == {'a': [1, 2.5, True, None], 'b': {'c': 'text'}}
    path.write_text('{"a": [1, 2.5]}')
    assert read_json(path, 1000) == {'a': [1, 2.5]}


def test_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    for path in (tmp_path / 'pipe', Path('/dev/zero')):
        with refused(f'{path} is a pipe or a device'):
            read_bytes(path, 1000)
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path, 1000)


def test_the_size_is_looked_at_first(tmp_path: Path) -> None:
    path = tmp_path / 'huge'
    with path.open('wb') as file:
        file.truncate(10**12)  # of holes, so it takes no space
    with refused('huge has 9.54e.05 MB, and at most 1 MB fit'):
        read_bytes(path, 2**20)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'it').write_bytes(b'\xff\xfe\x00')
    with refused('it is not a text file'):
        read_text(tmp_path / 'it', 1000)
    (tmp_path / 'it').write_text('[' * 100_000)
    with refused('it is not JSON'):
        read_json(tmp_path / 'it', 2**20)


@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        ('[' * 5000, 'nested more than 32'),
        ('{a: ' * 5000, 'nested more than 32'),
        ('- ' * 5000, 'nested more than 32'),
        ('a: &x [1]\nb: *x', 'line 2 holds an alias'),
        ('a: &x {c: 1}\nb:\n  <<: *x', 'line 3 holds an alias'),
        ('a: !!python/object:os.system {}', 'line 1 holds an alias or a tag'),
        ('a: !!int ""', 'a tag'),
        ('a: 2001-99-99', 'not YAML: month must be'),
        ('a: =', 'not YAML'),
        ('{[1]: 2}', 'not YAML'),
        ('a: b: c', 'not YAML: mapping values are not allowed'),
        ('a: \x07', 'not YAML'),
    ],
    ids=range(12),
)
def test_what_would_grow_or_is_no_yaml_is_refused(text: str, fault: str) -> None:
    with refused(f'^it.*{fault}') as caught:
        parse_yaml(text, 'it')
    assert '\n' not in str(caught.value)


def test_endless_numbers_are_text() -> None:
    """Python takes minutes to add up 1:1:1:... of a quarter of a megabyte, base 60."""
    for digits in ('1' + ':1' * 130_000, '1' * 260_000):
        assert parse_yaml(digits, 'it') == digits


def test_what_is_written_twice_is_read_back() -> None:
    twice = [1, 2]
    values = {'b': twice, 'a': {'again': twice}}
    text = dump_yaml(values)
    assert not re.search('[&*]', text) and text.startswith('b:')
    assert parse_yaml(text, 'it') == yaml.safe_load(text) == values
