"""Files that are there whole or not at all, and what a killed process left of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

from ganaug.exceptions import GanaugError, InvalidInputError, ModelFileError
from ganaug.naming import printable

if sys.platform != "win32":
    import fcntl

PART_SUFFIX = ".part"
ROOM_TO_SPARE = 1.05
"""Times the size of a file is what must be free for it: file systems keep books, too."""


def write_atomically(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file beside its place, bring it to the disk, and put it in place.

    A kill at any moment, a full disk or Ctrl-C leaves the older file, or the new one, whole. What
    earlier kills have left beside it is removed. Without `replace`, a file that is there stays, and
    of several writers the first one's does.
    """
    sweep_parts(path)
    part, handle = locked_part(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            (os.replace if replace else _put_where_none_is)(part, path)
            _sync_directory(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _put_where_none_is(part: Path, path: Path) -> None:
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError:  # a disk without links
        if not path.exists():
            os.replace(part, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all; its directory is made if need be."""
    check_writable(path.parent)
    if path.is_dir():
        raise InvalidInputError(f"{printable(path)} is a folder. Choose another path.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text.encode())


def sweep_parts(path: Path) -> None:
    """Remove what killed writers of a file have left beside it; not what is being written now."""
    for part in path.parent.iterdir():
        if is_part_of(path, part.name):
            _sweep(part)


def is_part_of(path: Path, name: str) -> bool:
    """Tell whether a name in a file's directory is that of an unfinished version of it."""
    return name.startswith(f".{path.name}-") and name.endswith(PART_SUFFIX)


def try_lock(handle: int) -> bool:
    """Lock an open file or folder until it is closed or its process ends, however it ends.

    False where another process holds the lock, or there are no locks: there nothing is ever swept.
    """
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock_folder(folder: Path) -> int | None:
    """Open and lock a folder; None when it is gone, or cannot be locked."""
    try:
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    if try_lock(handle) and _is_still(folder, handle):
        return handle
    os.close(handle)
    return None


def make_directory(path: Path) -> None:
    """Make a directory and its parents, and bring them to the disk."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be made a directory: {_reason(error)}.") from error


def check_writable(directory: Path, error: type[GanaugError] = InvalidInputError) -> None:
    """Refuse a directory, that may not exist yet, which no file can be written to.

    Tried with a file: permissions alone tell neither of read-only nor of special file systems.
    """
    try:
        tempfile.TemporaryFile(dir=_nearest(directory)).close()
    except OSError as found:
        raise error(
            f"{printable(directory)} cannot be written to: {_reason(found)}. Choose another path."
        ) from found


def check_room(directory: Path, n_bytes: int) -> None:
    """Refuse a directory, that may not exist yet, whose disk lacks room."""
    free = shutil.disk_usage(_nearest(directory)).free
    if free < n_bytes * ROOM_TO_SPARE:
        raise ModelFileError(
            f"{directory} needs {n_bytes / 1e6:.1f} MB, and its disk has {free / 1e6:.1f} MB left. "
            "Make room, or choose another path."
        )


def locked_part(path: Path) -> tuple[Path, int]:
    """Make and lock a hidden file in the same directory, so that renaming stays on one disk."""
    while True:
        part = path.with_name(f".{path.name}-{uuid.uuid4().hex}{PART_SUFFIX}")
        handle = os.open(
            part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
        )
        try_lock(handle)
        if _is_still(part, handle):  # else swept between the two lines
            return part, handle
        os.close(handle)


def _sweep(part: Path) -> None:
    """Remove a file if no process holds its lock."""
    with contextlib.suppress(OSError):
        handle = os.open(part, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            if try_lock(handle):
                part.unlink(missing_ok=True)
        finally:
            os.close(handle)


def _is_still(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(handle))
    except OSError:
        return False


def _nearest(directory: Path) -> Path:
    """Give the directory, or the nearest above it that exists."""
    return next(place for place in (directory, *directory.parents) if place.exists())


def _sync_directory(directory: Path) -> None:
    """Bring a directory's names to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
