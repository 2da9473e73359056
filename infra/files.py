"""Atomic files: a reader sees the old bytes or the new ones, never a part, even across a crash."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_atomically(path: Path, content: bytes, system: Any = os) -> None:
    """Replace `path` by `content`: temporary file, fsync, rename, fsync of the directory.

    `system` does what the module `os` does: the seam at which tests let disks fill up, tear writes and lose power.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        _write(temporary, content, system)
        system.replace(temporary, path)
    except OSError:
        with suppress(FileNotFoundError):
            system.unlink(temporary)
        raise
    sync_directory(path.parent, system)


def _write(path: Path, content: bytes, system: Any) -> None:
    handle = system.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        left = memoryview(content)
        while left:
            left = left[system.write(handle, left) :]
        system.fsync(handle)
    finally:
        system.close(handle)


def sync_directory(directory: Path, system: Any = os) -> None:
    """Make renames and new files in `directory` survive a power loss."""
    handle = system.open(directory, os.O_RDONLY)
    try:
        system.fsync(handle)
    finally:
        system.close(handle)
