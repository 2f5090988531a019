"""Manifests: what there is to know about a folder, and the SHA-256 of each file in it, as YAML."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Set
from pathlib import Path
from typing import Any

from posemap_ros.support import commands
from posemap_ros.support.files import atomic_write, explain
from posemap_ros.support.untrusted import FileRefused, dump_yaml, open_regular, read_yaml

FORMAT = 2  # 1: a scene without near_m and middle_m
LARGEST_FILE = 1 << 30  # bytes
REBUILD = 'copy it again from where it was built, or build it again: ' + commands.stage(
    'build_environment', '--data', 'DATA', '--out', 'ENVIRONMENT'
)
_LARGEST_MANIFEST = 256 << 10


class InvalidEnvironment(ValueError):
    """An environment folder that is missing, damaged, or of another format; says which file and
    what to do.
    """


def write_manifest(path: Path, values: dict[str, Any]) -> None:
    """Write values, when, and the SHA-256 of each weight file beside the manifest."""
    files = {p.name: _sha256(p) for p in sorted(path.parent.glob('*.safetensors'))}
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds')
    path.write_text(dump_yaml({**values, 'created': now, 'files': files}))


def replace_manifest(path: Path, manifest: dict[str, Any]) -> None:
    """Write what `read_manifest` gave, with changes, atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(dump_yaml(manifest))


def read_manifest(path: Path) -> dict[str, Any]:
    """What `write_manifest` wrote; nothing but its format is checked.

    Raises `InvalidEnvironment`.
    """
    try:
        manifest = read_yaml(path, _LARGEST_MANIFEST)
    except FileNotFoundError as error:
        raise InvalidEnvironment(
            f'{path} is missing, so this is no environment: {REBUILD}'
        ) from error
    except (OSError, FileRefused) as error:
        raise unreadable(error) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get('format'), int):
        raise InvalidEnvironment(f'{path} is damaged: {REBUILD}')
    if manifest['format'] > FORMAT:
        raise InvalidEnvironment(
            f'{path} has format {manifest["format"]}, '
            f'and this version of posemap_ros reads up to {FORMAT}: update posemap_ros'
        )
    return manifest


def check_files(
    folder: Path, manifest: dict[str, Any], wanted: Set[str], optional: Set[str] = frozenset()
) -> dict[str, str]:
    """The SHA-256 of each file beside a manifest, by its name.

    Raises `InvalidEnvironment` unless they are those that are wanted, and as they were built.
    """
    listed = manifest.get('files')
    if not isinstance(listed, dict) or set(listed) - optional != wanted:
        raise InvalidEnvironment(
            f'{folder}: the list of files in its manifest is damaged: {REBUILD}'
        )
    for name, digest in listed.items():
        try:
            found = _sha256(folder / name)
        except FileNotFoundError:
            raise InvalidEnvironment(f'{folder / name} is missing: {REBUILD}') from None
        except (OSError, FileRefused) as error:
            raise unreadable(error) from error
        if found != digest:
            raise InvalidEnvironment(
                f'{folder / name} is not the file that was built (its SHA-256 differs): {REBUILD}'
            )
    return listed


def unreadable(error: OSError | FileRefused) -> InvalidEnvironment:
    """The same with the way out."""
    reason = explain(error) if isinstance(error, OSError) else error
    return InvalidEnvironment(f'{reason}: {REBUILD}')


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open_regular(path, LARGEST_FILE) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
