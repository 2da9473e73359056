"""Manifests: which files make up one version of a dataset, and the pointer to the version that holds.

A manifest is never changed. `current` names one and its SHA-256, and is swapped by rename; a file names its own bytes
by SHA-256 in its manifest. So whoever opens `current` reads one version whole, or learns which file is damaged.
"""

import hashlib
from typing import TypeVar

import msgspec

from infra.errors import PlatformError
from ingestion.lake.store import Store

Document = TypeVar("Document")


class DamagedError(PlatformError):
    """A file of the lake does not hold the bytes that were written."""

    exit_code = 74


class Partition(msgspec.Struct, frozen=True, order=True):
    """One day (`2023-01-31`, UTC) of one exchange."""

    exchange: str
    day: str


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One immutable Parquet file of sorted rows. Times are microseconds UTC."""

    path: str
    partition: Partition
    rows: int
    size: int
    sha256: str
    schema: str
    level: int  # times that its rows have been merged out of smaller files
    from_at: int
    to_at: int
    from_known_at: int
    to_known_at: int
    from_symbol: str
    to_symbol: str
    revised: bool  # whether any row is a revision of another


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a dataset; `offsets` (`topic:partition` to offset) say which messages of the log are in it."""

    dataset: str
    version: int
    key: list[str]
    time: str
    columns: list[tuple[str, str]]
    files: list[File]
    offsets: dict[str, int]

    @property
    def content(self) -> str:
        """Name of the rows: equal files give an equal name, whichever way they came to be."""
        named = "\n".join(f"{file.path} {file.sha256} {file.rows}" for file in self.files)
        return hashlib.sha256(named.encode()).hexdigest()

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    def partitions(self) -> dict[Partition, list[File]]:
        """Return the files by partition, oldest day first."""
        by_partition: dict[Partition, list[File]] = {}
        for file in sorted(self.files, key=lambda file: (file.partition.day, file.partition.exchange, file.path)):
            by_partition.setdefault(file.partition, []).append(file)
        return by_partition


class Current(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The pointer: a version and the SHA-256 of its manifest."""

    version: int
    sha256: str


def current_path(dataset: str) -> str:
    """Return the path of the pointer."""
    return f"{dataset}/current"


def manifest_path(dataset: str, version: int) -> str:
    """Return the path of a version's manifest."""
    return f"{dataset}/manifests/{version:012d}.json"


def version_of(path: str) -> int | None:
    """Return the version that a path is the manifest of, None for any other file.

    >>> version_of("trades/manifests/000000000012.json"), version_of("trades/current")
    (12, None)
    """
    folder, _, name = path.rpartition("/")
    digits = name.removesuffix(".json")
    return int(digits) if folder.endswith("/manifests") and digits.isdigit() else None


def save(store: Store, manifest: Manifest) -> None:
    """Write a manifest, then let the pointer name it."""
    content = msgspec.json.encode(manifest)
    store.put(manifest_path(manifest.dataset, manifest.version), content)
    store.put(current_path(manifest.dataset), msgspec.json.encode(Current(manifest.version, sha256(content))))


def load(store: Store, dataset: str) -> Manifest | None:
    """Return the version that holds, None where nothing was ever written. Raises DamagedError."""
    place = current_path(dataset)
    try:
        pointer = store.get(place)
    except FileNotFoundError:
        return None
    current = _decoded(pointer, Current, f"{store.root}/{place}")
    if msgspec.json.encode(current) != pointer:
        raise DamagedError(f"{store.root}/{place} is damaged: it is not as it was written")
    place = manifest_path(dataset, current.version)
    content = verified(store, place, current.sha256)
    return _decoded(content, Manifest, f"{store.root}/{place}")


def load_version(store: Store, path: str) -> Manifest:
    """Return an older version by its path, to see which files it still names."""
    return _decoded(store.get(path), Manifest, f"{store.root}/{path}")


def verified(store: Store, path: str, digest: str) -> bytes:
    """Return a file's bytes if their SHA-256 is the one on record. Raises DamagedError that names the file."""
    try:
        content = store.get(path)
    except FileNotFoundError as error:
        raise DamagedError(f"{store.root}/{path} is missing; restore it from a backup") from error
    if sha256(content) != digest:
        raise DamagedError(f"{store.root}/{path} is damaged: its SHA-256 is not {digest[:16]}…; restore it")
    return content


def sha256(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal, by which files and manifests are named."""
    return hashlib.sha256(content).hexdigest()


def _decoded(content: bytes, kind: type[Document], place: str) -> Document:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedError(f"{place} is damaged: {error}") from error
