"""The data directory belongs to one platform at a time, can be written, and has room."""

import shutil
from pathlib import Path
from typing import BinaryIO

from infra import lock
from infra.errors import UnavailableError

NEEDED_BYTES = 256 * 1024 * 1024
LOCK = "lock"


def take(directory: Path) -> BinaryIO:
    """Make the directory and own it until the returned file is closed here and in every forked process.

    Raises FencedError naming the owner's pid, UnavailableError when it cannot be written or is full.
    """
    ownership = lock.own(directory / LOCK, "platform")
    free = shutil.disk_usage(directory).free
    if free < NEEDED_BYTES:
        ownership.close()
        raise UnavailableError(
            f"{directory}: only {free // 1024**2} MiB free on this disk, the servers need {NEEDED_BYTES // 1024**2} "
            "to start; free some or set CAP_DATA_DIRECTORY"
        )
    return ownership


def platform_pid(directory: Path) -> int | None:
    """Return the pid of the platform that runs on `directory`, or None."""
    return lock.holder(directory / LOCK)
