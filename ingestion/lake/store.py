"""Where the lake's bytes lie: a local directory, or any object storage that pyarrow or fsspec can speak to.

A file appears whole or not at all: locally by rename, on object storage because a put is atomic there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pyarrow.fs
from fsspec.core import url_to_fs

from infra.errors import InputError, UnavailableError
from infra.files import sync_directory, write_atomically
from infra.lock import wait_for


class Store(Protocol):
    """Files by path relative to the lake."""

    root: str

    def put(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all. Raises UnavailableError and leaves what was there."""
        ...

    def get(self, path: str) -> bytes:
        """Return a file's bytes. Raises FileNotFoundError."""
        ...

    def walk(self, directory: str) -> Iterator[tuple[str, float]]:
        """Yield paths below a directory, and when each was written (seconds since the epoch)."""
        ...

    def folders(self) -> list[str]:
        """Return the names of the folders at the top."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        ...

    def lock(self, name: str) -> Any:
        """Return a context that one process of this machine at a time can be in, by name."""
        ...


class Local:
    """A directory. `system` is the module `os`, or in tests one whose disk fills up or loses power."""

    def __init__(self, root: Path, system: Any = os) -> None:
        """Keep files under `root`."""
        self.root = str(root.absolute())
        self._root, self._system = root.absolute(), system

    def put(self, path: str, content: bytes) -> None:
        """Write by temporary file, fsync, rename, fsync of the directory."""
        target = self._root / path
        try:
            self._directory(target.parent)
            write_atomically(target, content, self._system)
        except OSError as error:
            raise UnavailableError(f"cannot write {target}: {error.strerror}; what was there is unchanged") from error

    def _directory(self, directory: Path) -> None:
        """Make a directory and its parents, each durable in its own parent."""
        if not directory.is_dir():
            self._directory(directory.parent)
            with suppress(FileExistsError):
                self._system.mkdir(directory)
            sync_directory(directory.parent, self._system)

    def get(self, path: str) -> bytes:
        """Read a file."""
        return (self._root / path).read_bytes()

    def walk(self, directory: str) -> Iterator[tuple[str, float]]:
        """Walk a directory."""
        for file in sorted((self._root / directory).rglob("*")):
            if file.is_file():
                yield str(file.relative_to(self._root)), file.stat().st_mtime

    def folders(self) -> list[str]:
        """List the directories."""
        return sorted(path.name for path in self._root.iterdir() if path.is_dir()) if self._root.is_dir() else []

    def remove(self, path: str) -> None:
        """Remove a file if it is there."""
        with suppress(FileNotFoundError):
            self._system.unlink(self._root / path)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Wait for the lock file of this name; the kernel gives it back however a process ends."""
        with wait_for(self._root / f".{name}.lock"):
            yield


class Remote:
    """A bucket or anything else with a file system in pyarrow or fsspec; locks are files of this machine."""

    def __init__(self, url: str, locks: Path) -> None:
        """Open a URL such as s3://bucket/lake?endpoint_override=host:port."""
        self.root, self._locks = url, locks
        self._files, self._base = _open(url)

    def put(self, path: str, content: bytes) -> None:
        """Write in one request, which object storage makes visible at its end."""
        try:
            with self._files.open_output_stream(f"{self._base}/{path}") as stream:
                stream.write(content)
        except OSError as error:
            raise UnavailableError(f"cannot write {self.root}/{path}: {error}") from error

    def get(self, path: str) -> bytes:
        """Read a file."""
        with self._files.open_input_stream(f"{self._base}/{path}") as stream:
            return bytes(stream.read())

    def walk(self, directory: str) -> Iterator[tuple[str, float]]:
        """List below a prefix."""
        below = pyarrow.fs.FileSelector(f"{self._base}/{directory}", recursive=True, allow_not_found=True)
        for entry in sorted(self._files.get_file_info(below), key=lambda entry: entry.path):
            if entry.is_file:
                yield entry.path.removeprefix(f"{self._base}/"), entry.mtime.timestamp() if entry.mtime else 0.0

    def folders(self) -> list[str]:
        """List the prefixes."""
        entries = self._files.get_file_info(pyarrow.fs.FileSelector(self._base, allow_not_found=True))
        return sorted(entry.base_name for entry in entries if not entry.is_file)

    def remove(self, path: str) -> None:
        """Delete an object."""
        with suppress(FileNotFoundError):
            self._files.delete_file(f"{self._base}/{path}")

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep other processes of this machine out; a bucket has one writing machine."""
        with wait_for(self._locks / f".{name}.lock"):
            yield


def open_store(url: str, locks: Path) -> Store:
    """Open a directory (a path or file://…) or object storage (any other URL)."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme == "file":
        return Local(Path(rest if separator else url))
    return Remote(url, locks)


def _open(url: str) -> tuple[Any, str]:
    try:
        files, base = pyarrow.fs.FileSystem.from_uri(url)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        try:
            remote, base = url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise InputError(f"no file system for {url}: {error}") from error
        files = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(remote))
    return files, base.rstrip("/")
