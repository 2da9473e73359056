"""Changes of a dataset: files are written, then one manifest that names them; nothing else is ever visible.

`append` takes rows that are new, `merge` rows that may be there already, `compact` makes one file of a day. Each holds
the dataset's lock from reading the old manifest until the new one holds, so that no change is lost.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import polars as pl

from infra import clock
from infra.errors import FencedError
from ingestion.lake import manifest as manifests
from ingestion.lake.datasets import Dataset
from ingestion.lake.manifest import File, Manifest, Partition
from ingestion.lake.parquet import conform, in_order, parse, write
from ingestion.lake.store import Store

FAN = 8
"""So many files of one level in a partition are merged into one of the next."""
KEPT_VERSIONS = 20
GRACE = clock.HOUR
"""Manifests are kept for so long, and the last KEPT_VERSIONS of them: a reader may still be at them."""

BATCH = 4_000_000
"""Rows that are merged at a time."""

Resolve = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""Rows of the lake and new ones to the rows that hold; they are sorted then, each key and revision once."""


class Lake(NamedTuple):
    """A store and the clock that its retention goes by."""

    store: Store
    now: clock.Clock = clock.now


def latest(lake: Lake, dataset: Dataset) -> Manifest:
    """Return the version that holds, an empty one at first."""
    manifest = manifests.load(lake.store, dataset.name)
    if manifest is not None:
        return manifest
    columns = [(field.name, str(field.type)) for field in dataset.schema]
    return Manifest(dataset.name, 0, list(dataset.key), dataset.time, columns, [], {})


def append(
    lake: Lake, dataset: Dataset, rows: pl.DataFrame, offsets: Mapping[str, int], expected: Mapping[str, int]
) -> Manifest:
    """Add rows and the offsets up to which they were read, both or neither.

    Raises FencedError when the manifest's offsets are not those `expected`: another writer was here.
    """
    rows = conform(dataset, rows)
    with lake.store.lock(dataset.name):
        old = latest(lake, dataset)
        if any(old.offsets.get(place, 0) != offset for place, offset in expected.items()):
            raise FencedError(
                f"{lake.store.root}/{dataset.name} is at {old.offsets}, not at {dict(expected)}: another process "
                "writes it; run one `cap lake`"
            )
        parts = old.partitions()
        for partition, content in split(dataset, rows):
            files = parts.setdefault(partition, [])
            files.append(write(lake.store, dataset, partition, in_order(dataset, content), 0))
            _merge_levels(lake, dataset, partition, files)
        return _commit(lake, dataset, old, parts, {**old.offsets, **offsets})


def merge(lake: Lake, dataset: Dataset, rows: pl.DataFrame, resolve: Resolve) -> Manifest:
    """Make one file of each partition that `rows` touch, of its rows and the new ones; equal rows change nothing."""
    rows = conform(dataset, rows)
    with lake.store.lock(dataset.name):
        old = latest(lake, dataset)
        parts = old.partitions()
        for batch in _batches(dataset, rows, parts):
            files = [file for partition in batch for file in parts.get(partition, [])]
            there = stored(lake.store, dataset, files)
            merged = in_order(dataset, conform(dataset, resolve(there, pl.concat(batch.values()))))
            before = dict(split(dataset, there))
            for partition, content in split(dataset, merged):
                if partition not in before or not content.equals(before[partition]):
                    level = max((file.level for file in parts.get(partition, [])), default=0)
                    parts[partition] = [write(lake.store, dataset, partition, content, level)]
        return _commit(lake, dataset, old, parts, old.offsets)


def _batches(
    dataset: Dataset, rows: pl.DataFrame, parts: Mapping[Partition, list[File]]
) -> Iterator[dict[Partition, pl.DataFrame]]:
    """Yield partitions to be merged together: many that are small, one that is large."""
    batch, size = dict[Partition, pl.DataFrame](), 0
    for partition, content in split(dataset, rows):
        size += len(content) + sum(file.rows for file in parts.get(partition, []))
        batch[partition] = content
        if size >= BATCH:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def compact(lake: Lake, dataset: Dataset, before_day: str) -> Manifest:
    """Make one file of each day before this one; its bytes depend on the rows alone."""
    with lake.store.lock(dataset.name):
        old = latest(lake, dataset)
        parts = old.partitions()
        for partition, files in parts.items():
            if partition.day < before_day and len(files) > 1:
                rows = stored(lake.store, dataset, files)
                parts[partition] = [write(lake.store, dataset, partition, rows, 1 + max(f.level for f in files))]
        return _commit(lake, dataset, old, parts, old.offsets)


def forget(lake: Lake, dataset: Dataset, before_day: str) -> Manifest:
    """Leave out the days before this one."""
    with lake.store.lock(dataset.name):
        old = latest(lake, dataset)
        parts = {place: files for place, files in old.partitions().items() if place.day >= before_day}
        return _commit(lake, dataset, old, parts, old.offsets)


def stored(store: Store, dataset: Dataset, files: Iterable[File]) -> pl.DataFrame:
    """Return the rows of some files of one partition, verified, in order; columns added since are null."""
    tables = [pl.DataFrame(schema=dataset.columns)]
    tables += [parse(manifests.verified(store, file.path, file.sha256)) for file in files]
    return in_order(dataset, pl.concat(tables, how="diagonal").select(list(dataset.columns)))


def split(dataset: Dataset, rows: pl.DataFrame) -> list[tuple[Partition, pl.DataFrame]]:
    """Part rows by exchange and day; rows of one are not copied."""
    if not len(rows):
        return []
    day = (pl.col(dataset.time).to_physical() // clock.DAY).cast(pl.Int32)
    name = pl.col("exchange")
    span = rows.select(name.first(), first=day.min(), last=day.max(), alone=(name == name.first()).all())
    exchange, first, last, alone = span.row(0)
    if alone and first == last:
        return [(Partition(exchange, day_of(first * clock.DAY)), rows)]
    parts = rows.with_columns(day.alias("day")).partition_by("exchange", "day", as_dict=True)
    return [(Partition(str(e), day_of(d * clock.DAY)), part.drop("day")) for (e, d), part in sorted(parts.items())]


def day_of(at: int) -> str:
    """Write the day of a time.

    >>> day_of(1_700_000_000_000_000)
    '2023-11-14'
    """
    return datetime.fromtimestamp(at / clock.SECOND, UTC).strftime("%Y-%m-%d")


def clean(lake: Lake, dataset: Dataset) -> list[str]:
    """Remove manifests that are old, and what no manifest names: replaced files and leftovers of a crash; return them.

    A file is kept as long as a manifest that names it, so that a reader who is at an older version can finish.
    """
    store = lake.store
    with store.lock(dataset.name):
        current = latest(lake, dataset)
        entries = list(store.walk(dataset.name))
        used = {manifests.current_path(dataset.name), manifests.manifest_path(dataset.name, current.version)}
        used |= {file.path for file in current.files}
        for path, written_at in entries:
            version = manifests.version_of(path)
            recent = written_at * clock.SECOND > lake.now() - GRACE or (version or 0) > current.version - KEPT_VERSIONS
            if version is not None and version < current.version and recent:
                used |= {path, *(file.path for file in manifests.load_version(store, path).files)}
        gone = [path for path, _ in entries if path not in used]
        for path in sorted(gone, key=lambda path: manifests.version_of(path) is not None):  # files before manifests
            store.remove(path)
        return gone


def _merge_levels(lake: Lake, dataset: Dataset, partition: Partition, files: list[File]) -> None:
    """Merge files of one level while there are many, so that each row is rewritten a few times only."""
    level = 0
    while len(small := [file for file in files if file.level == level]) >= FAN:
        rows = stored(lake.store, dataset, small)
        files[:] = [file for file in files if file.level != level]
        files.append(write(lake.store, dataset, partition, rows, level + 1))
        level += 1


def _commit(
    lake: Lake, dataset: Dataset, old: Manifest, parts: Mapping[Partition, list[File]], offsets: dict[str, int]
) -> Manifest:
    files = sorted((file for some in parts.values() for file in some), key=lambda file: file.path)
    if files == old.files and offsets == old.offsets:
        return old
    columns = [(field.name, str(field.type)) for field in dataset.schema]
    new = Manifest(dataset.name, old.version + 1, list(dataset.key), dataset.time, columns, files, offsets)
    manifests.save(lake.store, new)
    return new
