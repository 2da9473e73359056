"""Reading: manifests name the files, SHA-256 vouches for their bytes, and only then a row is served."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from operator import and_
from typing import NamedTuple, cast

import polars as pl
import pyarrow as pa

from infra.errors import InputError
from infra.settings import settings
from ingestion.lake import manifest as manifests
from ingestion.lake.manifest import File, Manifest
from ingestion.lake.parquet import parse, repeats
from ingestion.lake.store import Store, open_store

Moment = datetime | date | str | int
"""A time: a datetime, a day, ISO 8601 text (UTC where it names no zone) or microseconds UTC."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
THREADS = 4


class Condition(NamedTuple):
    """What the rows of an answer have in common, and which files may hold such rows: the others are not opened."""

    rows: pl.Expr
    file: Callable[[File], bool]


def default_store() -> Store:
    """Open the lake that the settings name."""
    return open_store(settings().lake, settings().data_directory)


def read(
    dataset: str,
    *,
    symbols: Sequence[str] | None = None,
    exchange: str | None = None,
    timeframe: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    as_of: Moment | None = None,
    columns: Sequence[str] | None = None,
    revisions: bool = False,
    store: Store | None = None,
) -> pa.Table:
    """Return rows with start <= time < end in the order of their key, of each the last revision known at `as_of`.

    `revisions` returns all of them. Amounts are integer mantissas with their scales; `bars` gives float64.
    Raises InputError where the dataset holds nothing, DamagedError that names a file whose bytes have changed.
    """
    return frame(
        dataset,
        symbols=symbols,
        exchange=exchange,
        timeframe=timeframe,
        start=start,
        end=end,
        as_of=as_of,
        columns=columns,
        revisions=revisions,
        store=store,
    ).to_arrow()


def frame(
    dataset: str,
    *,
    symbols: Sequence[str] | None = None,
    exchange: str | None = None,
    timeframe: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    as_of: Moment | None = None,
    columns: Sequence[str] | None = None,
    revisions: bool = False,
    store: Store | None = None,
) -> pl.DataFrame:
    """Do what `read` does, for polars."""
    store = store or default_store()
    manifest = open_manifest(store, dataset)
    conditions = list(_conditions(manifest, symbols, exchange, timeframe, start, end, as_of))
    files = [file for file in manifest.files if all(condition.file(file) for condition in conditions)]
    rows = _rows(store, manifest, files, [condition.rows for condition in conditions], _columns(manifest, columns))
    if len(files) > 1 or any(file.revised for file in files):
        rows = _resolved(manifest, rows, revisions=revisions)
    return rows.select(columns) if columns else rows


def _conditions(
    manifest: Manifest,
    symbols: Sequence[str] | None,
    exchange: str | None,
    timeframe: str | None,
    start: Moment | None,
    end: Moment | None,
    as_of: Moment | None,
) -> Iterator[Condition]:
    time, known_at = (pl.col(name).to_physical() for name in (manifest.time, "known_at"))
    if symbols is not None:
        yield Condition(
            pl.col("symbol").is_in(list(symbols)), lambda f: any(f.from_symbol <= s <= f.to_symbol for s in symbols)
        )
    if exchange is not None:
        yield Condition(pl.col("exchange") == exchange, lambda f: f.partition.exchange == exchange)
    if timeframe is not None:
        yield Condition(pl.col("timeframe") == timeframe, lambda _: True)
    if start is not None:
        first = microseconds(start)
        yield Condition(time >= first, lambda f: f.to_at >= first)
    if end is not None:
        before = microseconds(end)
        yield Condition(time < before, lambda f: f.from_at < before)
    if as_of is not None:
        latest = microseconds(as_of)
        yield Condition(known_at <= latest, lambda f: f.from_known_at <= latest)


def open_manifest(store: Store, dataset: str) -> Manifest:
    """Return the version of a dataset that holds. Raises InputError where there is none."""
    if (manifest := manifests.load(store, dataset)) is not None:
        return manifest
    there = ", ".join(name for name in store.folders() if manifests.load(store, name)) or "nothing yet"
    raise InputError(f"the lake {store.root} holds no {dataset!r}; it holds {there}")


def _columns(manifest: Manifest, columns: Sequence[str] | None) -> list[str]:
    """Return the columns to read: those asked for and those that rows are chosen by."""
    names = [name for name, _ in manifest.columns]
    if columns is None:
        return names
    if unknown := [name for name in columns if name not in names]:
        raise InputError(f"{manifest.dataset} has no column {', '.join(unknown)}; it has {', '.join(names)}")
    used = {*columns, *manifest.key, "revision", "known_at"}
    return [name for name in names if name in used]


def _rows(
    store: Store, manifest: Manifest, files: list[File], tests: list[pl.Expr], columns: list[str]
) -> pl.DataFrame:
    test = reduce(and_, tests) if tests else None

    def load(file: File) -> pl.DataFrame:
        rows = parse(manifests.verified(store, file.path, file.sha256))
        rows = rows.select(name for name in columns if name in rows.columns)
        return rows if test is None else rows.filter(test)

    if not files:
        return _nothing(manifest, columns)
    files = sorted(files, key=lambda file: (file.partition.exchange, file.partition.day))
    with ThreadPoolExecutor(THREADS) as pool:
        return pl.concat(pool.map(load, files), how="diagonal")


def _nothing(manifest: Manifest, columns: list[str]) -> pl.DataFrame:
    fields = [pa.field(name, _kind(kind)) for name, kind in manifest.columns if name in columns]
    return cast("pl.DataFrame", pl.from_arrow(pa.schema(fields).empty_table()))


def _kind(text: str) -> pa.DataType:
    return pa.timestamp("us", "UTC") if text.startswith("timestamp") else pa.type_for_alias(text)


def _resolved(manifest: Manifest, rows: pl.DataFrame, *, revisions: bool) -> pl.DataFrame:
    """Sort by key and revision; leave the last of each key, or each revision once."""
    rows = rows.sort([*manifest.key, "revision"], maintain_order=True)
    if revisions:
        return rows.filter(~repeats(rows, [*manifest.key, "revision"]))
    return rows.filter(~repeats(rows, manifest.key).shift(-1, fill_value=False))


def microseconds(moment: Moment) -> int:
    """Return a moment in microseconds UTC. Raises InputError.

    >>> microseconds("2023-01-01"), microseconds(datetime(1970, 1, 2, tzinfo=UTC))
    (1672531200000000, 86400000000)
    """
    if isinstance(moment, int):
        return moment
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise InputError(f"not a time: {moment!r}; write 2023-01-31 or 2023-01-31T12:00:00Z") from error
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


def bars(
    *,
    timeframe: str,
    symbols: Sequence[str] | None = None,
    exchange: str | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    as_of: Moment | None = None,
    store: Store | None = None,
) -> pl.DataFrame:
    """Return candles as kernels see them: float64 open high low close volume, times int64 microseconds.

    The amounts are divided once by a power of ten, as the live engine does: the same bits.
    """
    rows = frame(
        "candles",
        symbols=symbols,
        exchange=exchange,
        timeframe=timeframe,
        start=start,
        end=end,
        as_of=as_of,
        store=store,
    )
    price, quantity = (_power(name) for name in ("price_scale", "quantity_scale"))
    return rows.select(
        "exchange",
        "symbol",
        "timeframe",
        pl.col("opened_at", "known_at").to_physical(),
        "revision",
        "quality",
        "simulated",
        *((pl.col(name).cast(pl.Float64) / price).alias(name) for name in ("open", "high", "low", "close")),
        (pl.col("volume").cast(pl.Float64) / quantity).alias("volume"),
    )


def _power(scale: str) -> pl.Expr:
    """Return 10 to the scale, exactly."""
    return pl.col(scale).replace_strict({n: 10.0**n for n in range(23)}, return_dtype=pl.Float64)
