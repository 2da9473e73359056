"""The data directory belongs to one platform at a time, can be written, and has room."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO

from infra.errors import FencedError, UnavailableError

NEEDED_BYTES = 256 * 1024 * 1024
SETTING = "CAP_DATA_DIRECTORY"


class DirectoryLock:
    """Held while its file is open here or in a forked process; the kernel frees it however they end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Make the directory and own it.

        Raises FencedError naming the owner's pid, UnavailableError when it cannot be written or is full.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._file = (self.directory / "lock").open("a+")
        except OSError as error:
            raise UnavailableError(f"cannot write {self.directory}: {error.strerror}; set {SETTING}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FencedError(
                f"another platform (pid {holder(self.directory)}) runs on {self.directory}: stop it, or give this one "
                f"its own {SETTING} and ports"
            ) from error
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()
        _check_room(self.directory)

    def release(self) -> None:
        """Give the directory up."""
        if self._file is not None:
            self._file.close()


def holder(directory: Path) -> int | None:
    """Return the pid of the platform that runs on `directory`, or None."""
    try:
        with (directory / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read().strip() or 0)
    except (OSError, ValueError):
        return None
    return None


def _check_room(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < NEEDED_BYTES:
        raise UnavailableError(
            f"{directory}: only {free // 1024**2} MiB free on this disk, the servers need {NEEDED_BYTES // 1024**2} "
            f"to start; free some or set {SETTING}"
        )
