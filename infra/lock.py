"""Files that one process at a time owns; the kernel gives them back however a process ends.

The library `filelock` lets go in a forked child: after a `kill -9` of `cap up` its data would look free while the
supervisor, its child, still stops the servers. A lock here is held until the last process that inherited it has ended.
"""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from infra.errors import FencedError, UnavailableError


def own(path: Path, owner: str) -> BinaryIO:
    """Be the only owner of `path` until the returned file is closed; its content is our pid.

    Raises FencedError naming the other `owner` and its pid, UnavailableError when the file cannot be written.
    """
    file = _open(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = _pid(file)
        file.close()
        raise FencedError(
            f"another {owner} (pid {pid}) runs on {path.parent}: stop it, or give this one its own CAP_DATA_DIRECTORY "
            "and ports"
        ) from error
    try:
        file.truncate(0)
        file.write(b"%d\n" % os.getpid())
    except OSError as error:
        file.close()
        raise _unwritable(path, error) from error
    return file


def wait_for(path: Path) -> BinaryIO:
    """Own `path` as soon as it is free, until the returned file is closed. Raises UnavailableError like `own`."""
    file = _open(path)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def holder(path: Path) -> int | None:
    """Return the pid of the process that owns `path`, or None."""
    try:
        with path.open("rb", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _pid(file)
    except OSError:
        return None
    return None


def _open(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(f"cannot write {path.parent}: {error.strerror}; set CAP_DATA_DIRECTORY")


def _pid(file: BinaryIO) -> int | None:
    """Return the number in the file: none while its owner has not written it yet."""
    file.seek(0)
    number = file.read().strip()
    return int(number) if number.isdigit() else None
