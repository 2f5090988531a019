"""Files and folders that appear complete or not at all.

Both are made under a temporary name beside their place, synced to disk, and renamed. An error or
Ctrl-C on the way removes what was begun and leaves what was there before.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Yields the temporary file (existing, empty) that becomes `path` when the block ends well.

    Its name ends like `path`, because many writers choose the format by it.
    """
    path = Path(path)
    handle, name = tempfile.mkstemp(
        prefix=f'.{path.stem}.', suffix=f'.partial{path.suffix}', dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner can read
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """Yields the empty folder `<path>.partial` that becomes `path` when the block ends well.

    What an earlier, killed run left under the temporary name is removed first. Raises
    FileExistsError if `path` holds anything and `overwrite` is not set, NotADirectoryError if it
    is a file, BlockingIOError if another process is making the same folder now.
    """
    path = Path(path)
    check_folder_is_free(path, overwrite=overwrite)
    temporary = path.with_name(path.name + '.partial')
    with claimed(temporary):
        _empty(temporary)
        try:
            yield temporary
            _sync_all(temporary)
            # Looked at again: the block may have run for hours.
            check_folder_is_free(path, overwrite=overwrite)
            _replace_folder(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextmanager
def claimed(folder: Path | str) -> Iterator[None]:
    """Be the only process inside such a block for this folder, which is made if it is missing.

    The system lets go of the claim when the process ends, however it does. Raises BlockingIOError
    at once if another process has the claim.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path | str) -> Iterator[None]:
    """Like `claimed`, for a folder that is there, but waits for who has the claim."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check_writable(path: Path | str) -> None:
    """Raise the OSError that `atomic_write` would, before any work is done."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, 'is a folder, not a file', str(path))
    _check_files_can_be_made(path.parent)


def check_folder_is_free(path: Path | str, *, overwrite: bool = False) -> None:
    """Raise the error that `atomic_folder` would, before any work is done."""
    path = Path(path)
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(errno.ENOENT, 'is a link to nowhere', str(path))
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, 'is a file, not a folder', str(path))
    if path.is_dir() and not overwrite and any(path.iterdir()):
        raise FileExistsError(errno.EEXIST, 'exists and is not empty', str(path))
    _check_files_can_be_made(next((p for p in path.parents if p.exists()), Path()))


def explain(error: OSError) -> str:
    """One sentence for people: which file, and what is wrong with it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f' while writing {error.filename}' if error.filename else ''
        return f'the disk is full{where}; free some space and run the same command again'
    if error.filename is None:
        return str(error.strerror or error)
    return f'{error.filename}: {error.strerror or error}'


def _check_files_can_be_made(folder: Path) -> None:
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def _replace_folder(new: Path, path: Path) -> None:
    """Put `new` at `path`; an old folder there goes only after the new one has its place."""
    if not path.exists():
        os.rename(new, path)
    else:
        old = Path(tempfile.mkdtemp(prefix=f'.{path.name}.old.', dir=path.parent))
        os.rename(path, old)
        try:
            os.rename(new, path)
        except BaseException:
            os.rename(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    _sync(path.parent)


def _lock(descriptor: int, folder: Path) -> None:
    """Claim the folder for this process; the system lets go of the claim when the process ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.path.samestat(os.fstat(descriptor), os.stat(folder))
    except (BlockingIOError, FileNotFoundError):
        same = False
    if not same:
        raise BlockingIOError(errno.EAGAIN, 'is being written by another process', str(folder))


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_all(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
