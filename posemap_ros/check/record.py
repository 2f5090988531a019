"""What a check said, kept beside the data, so that a build on them can tell."""

from __future__ import annotations

import hashlib
from pathlib import Path

from posemap_ros.check.findings import Finding
from posemap_ros.dataset import PosedImages
from posemap_ros.support.files import atomic_write
from posemap_ros.support.printable import printable
from posemap_ros.support.untrusted import FileRefused, dump_yaml, read_yaml

FILE_NAME = 'check.yaml'
PASSED = 'passed'
_LARGEST = 64 << 10  # bytes
_LONGEST_VERDICT = 600


def write_record(dataset: PosedImages, findings: list[Finding]) -> Path:
    """Keep the outcome in the dataset's folder; returns the file. Raises OSError."""
    faults = [f'{f.subject}: {f.text}' for f in findings if f.severity == 'fault']
    verdict = f'failed: {"; ".join(faults)}' if faults else PASSED
    path = dataset.root / FILE_NAME
    with atomic_write(path) as temporary:
        temporary.write_text(dump_yaml({'verdict': verdict, 'poses': _digest(dataset)}))
    return path


def read_record(dataset: PosedImages) -> str:
    """'passed', 'failed: ...', or why neither is known, of all frames of a dataset."""
    try:
        record = read_yaml(dataset.root / FILE_NAME, _LARGEST)
    except FileNotFoundError:
        return 'never run'
    except (OSError, FileRefused) as error:
        return printable(f'not known: {error}', _LONGEST_VERDICT)
    if not isinstance(record, dict) or not isinstance(record.get('verdict'), str):
        return f'not known: {FILE_NAME} is damaged'
    if record.get('poses') != _digest(dataset):
        return 'never run on these poses: they were changed since'
    return printable(record['verdict'], _LONGEST_VERDICT)


def _digest(dataset: PosedImages) -> str:
    """Of names, poses and cameras."""
    digest = hashlib.sha256(dataset.poses.tobytes())
    for index, name in enumerate(dataset.names):
        digest.update(f'{name} {dataset.camera_of(index).to_dict()}\n'.encode())
    return digest.hexdigest()
