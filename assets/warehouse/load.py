"""From the lake into ClickHouse, as often as one likes: each row of the lake is there exactly once.

A day whose bytes are those of the last load is passed over. Of the others the rows that ClickHouse lacks are inserted
under a token that names them: when an answer is lost, or two loads run at once, the repetition is recognised.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import clickhouse_connect
import polars as pl
import pyarrow as pa

from assets.warehouse.rows import table
from assets.warehouse.tables import DATABASE, DATASETS, create, key
from infra.errors import InputError, UnavailableError
from infra.settings import Settings
from ingestion.lake.datasets import Dataset
from ingestion.lake.manifest import File, Manifest, Partition
from ingestion.lake.reader import Moment, microseconds
from ingestion.lake.store import Store
from ingestion.lake.writer import Lake, day_of, latest, stored

CHUNK = 500_000
"""Rows of one insert: ClickHouse makes one block of them, which is what a token stands for."""


@dataclass(frozen=True)
class Loaded:
    """What a load did: days looked at that had changed, and rows inserted."""

    dataset: str
    days: int
    rows: int


def connect(settings: Settings) -> Any:
    """Open the warehouse that the settings name. Raises UnavailableError."""
    try:
        return clickhouse_connect.get_client(
            dsn=settings.clickhouse,
            username=settings.clickhouse_user,
            password=settings.clickhouse_password,
            autogenerate_session_id=False,
        )
    except clickhouse_connect.driver.exceptions.Error as error:
        raise UnavailableError(f"ClickHouse at {settings.clickhouse} does not answer: {error}") from error


def load(
    client: Any,
    store: Store,
    datasets: Iterable[str] = (),
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    progress: Callable[[str, int], object] = lambda _, __: None,
) -> list[Loaded]:
    """Bring the tables of these datasets (all that the lake holds, where none is named) up to the lake.

    `start` and `end` choose days; `progress` is told each dataset and how many days of it are done.
    """
    names = list(datasets) or [name for name in DATASETS if name in store.folders()]
    if unknown := [name for name in names if name not in DATASETS]:
        raise InputError(f"no dataset {', '.join(unknown)}; there are {', '.join(DATASETS)}")
    create(client)
    first = "" if start is None else day_of(microseconds(start))
    last = "9999" if end is None else day_of(microseconds(end) - 1)
    done = []
    for name in names:
        manifest = latest(Lake(store), DATASETS[name])
        done.append(_load(client, store, DATASETS[name], manifest, first, last, progress))
    return done


def _load(
    client: Any,
    store: Store,
    dataset: Dataset,
    manifest: Manifest,
    first: str,
    last: str,
    progress: Callable[[str, int], object],
) -> Loaded:
    """Load the changed days of one dataset, a month at a time: an insert that spans months makes a part per month."""
    loaded = dict(_loaded_contents(client, dataset))
    changed = {
        partition: files
        for partition, files in manifest.partitions().items()
        if first <= partition.day <= last and loaded.get(partition) != _content(files)
    }
    rows = days = 0
    for (exchange, _), some in groupby(sorted(changed), key=lambda p: (p.exchange, p.day[:7])):
        months = list(some)
        for batch in _batches(months, changed):
            rows += _load_days(client, store, dataset, exchange, {p: changed[p] for p in batch})
            days += len(batch)
            progress(dataset.name, days)
    return Loaded(dataset.name, days, rows)


def _batches(partitions: list[Partition], files: dict[Partition, list[File]]) -> Iterable[list[Partition]]:
    """Yield days of one month to load together: many that are small, one that is large."""
    batch, size = list[Partition](), 0
    for partition in partitions:
        batch.append(partition)
        size += sum(file.rows for file in files[partition])
        if size >= CHUNK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _load_days(client: Any, store: Store, dataset: Dataset, exchange: str, days: dict[Partition, list[File]]) -> int:
    """Insert what ClickHouse lacks of some days, then note which bytes they came from."""
    rows = stored(store, dataset, [file for files in days.values() for file in files])
    new = missing(client, dataset, exchange, table(dataset, rows))
    for at in range(0, len(new), CHUNK):
        insert(client, dataset, new.slice(at, CHUNK))
    noted = [(dataset.name, exchange, p.day, _content(files), sum(f.rows for f in files)) for p, files in days.items()]
    values = ", ".join(f"('{d}', '{e}', '{day}', '{c}', {n}, now64(6))" for d, e, day, c, n in noted)
    client.command(f"INSERT INTO {DATABASE}.loaded_partitions VALUES {values}")  # noqa: S608 - names and hashes of ours
    return len(new)


def missing(client: Any, dataset: Dataset, exchange: str, rows: pa.Table) -> pa.Table:
    """Return the rows whose key and revision the table lacks, in the order given."""
    names, time = list(key(dataset)), dataset.time
    bounds = pl.DataFrame(rows.select([time])).to_series()
    first, last = bounds.dt.epoch("us").min(), bounds.dt.epoch("us").max()
    at = f"toUnixTimestamp64Micro({time})"
    there = client.query_arrow(
        f"SELECT {', '.join(names)} FROM {DATABASE}.{dataset.name} "  # noqa: S608 - our names
        f"WHERE exchange = {{exchange:String}} AND {at} >= {{first:Int64}} AND {at} <= {{last:Int64}}",
        parameters={"exchange": exchange, "first": first, "last": last},
        use_strings=True,
    )
    if not len(there):
        return rows
    ours = pl.DataFrame(rows.select(names))
    present = pl.DataFrame(there).select(*(pl.col(n).cast(ours.schema[n]) for n in names), present=True)
    new = ours.join(present, on=names, how="left", maintain_order="left")["present"].is_null()
    return rows.filter(new.to_arrow())


def insert(client: Any, dataset: Dataset, rows: pa.Table) -> None:
    """Insert one block of rows under a token that names them, so that it may be repeated."""
    settings = {"insert_deduplication_token": token(dataset, rows), "insert_deduplicate": 1}
    client.insert_arrow(dataset.name, rows, database=DATABASE, settings=settings)


def token(dataset: Dataset, rows: pa.Table) -> str:
    """Name rows by their keys: equal rows give an equal token."""
    keys, sink = rows.select(list(key(dataset))).combine_chunks(), pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, keys.schema) as stream:
        stream.write_table(keys)
    return hashlib.sha256(dataset.name.encode() + sink.getvalue()).hexdigest()


def _loaded_contents(client: Any, dataset: Dataset) -> Iterable[tuple[Partition, str]]:
    query = (
        f"SELECT exchange, toString(day), content FROM {DATABASE}.loaded_partitions FINAL "  # noqa: S608 - our names
        "WHERE dataset = {dataset:String}"
    )
    rows = client.query(query, parameters={"dataset": dataset.name}).result_rows
    return [(Partition(str(exchange), str(day)), str(content)) for exchange, day, content in rows]


def _content(files: list[File]) -> str:
    return hashlib.sha256("".join(sorted(file.sha256 for file in files)).encode()).hexdigest()
