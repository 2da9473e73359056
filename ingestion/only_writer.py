"""One writer of a data directory: a lock that the operating system gives back however a process ends."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from infra.errors import FencedError


def lock(directory: Path) -> BinaryIO:
    """Be the only writer of this data directory. Raises FencedError that names the other one."""
    directory.mkdir(parents=True, exist_ok=True)
    file = (directory / "ingestion.lock").open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        raise FencedError(f"{directory} is written by another `cap ingest` (pid {file.read().decode()})") from error
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()
    return file
