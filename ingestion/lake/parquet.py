"""Rows to the bytes of one Parquet file and back: equal rows give equal bytes."""

from io import BytesIO
from typing import Any

import polars as pl

from infra.errors import InputError
from ingestion.lake.datasets import Dataset
from ingestion.lake.manifest import File, Partition, sha256
from ingestion.lake.store import Store

ROW_GROUP = 262_144
LEVEL = 1
"""zstd's level: higher ones take twice the time for a few percent."""


def conform(dataset: Dataset, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with exactly the dataset's columns. Raises InputError that names what is missing or does not fit."""
    if missing := [name for name in dataset.columns if name not in rows.columns]:
        raise InputError(f"{dataset.name}: rows without {', '.join(missing)}")
    try:
        rows = rows.select(pl.col(name).cast(kind) for name, kind in dataset.columns.items())
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{dataset.name}: {error}") from error
    counts = rows.select(dataset.order).null_count()
    if nulls := [name for name in dataset.order if counts[name][0]]:
        raise InputError(f"{dataset.name}: rows whose {', '.join(nulls)} is missing")
    return rows


def in_order(dataset: Dataset, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows sorted by key and revision, each pair once: of equal ones the first."""
    order = list(dataset.order)
    ascending, same = _compared(rows, order)
    if not ascending:
        rows = rows.sort(order, maintain_order=True)
    return rows.filter(~repeats(rows, order)) if not ascending or same else rows


def repeats(rows: pl.DataFrame, columns: list[str]) -> pl.Series:
    """Return of each sorted row whether it repeats the one before in these columns."""
    equal = pl.lit(value=True)
    for name in columns:
        equal &= pl.col(name) == pl.col(name).shift(1)
    return rows.select(equal.fill_null(value=False).alias("same"))["same"]


def _compared(rows: pl.DataFrame, columns: list[str]) -> tuple[bool, bool]:
    """Return whether rows are sorted by these columns, and whether any equals the one before."""
    less, equal = pl.lit(value=False), pl.lit(value=True)
    for name in columns:
        less |= equal & (pl.col(name) > pl.col(name).shift(1))
        equal &= pl.col(name) == pl.col(name).shift(1)
    ascending, same = rows.select((less | equal).slice(1).all().alias("up"), equal.any().alias("same")).row(0)
    return ascending, same


def write(store: Store, dataset: Dataset, partition: Partition, rows: pl.DataFrame, level: int) -> File:
    """Write one file of sorted rows, named by its bytes."""
    buffer = BytesIO()
    rows.rechunk().write_parquet(buffer, compression="zstd", compression_level=LEVEL, row_group_size=ROW_GROUP)
    content = buffer.getvalue()
    digest = sha256(content)
    path = f"{dataset.name}/exchange={partition.exchange}/day={partition.day}/{digest[:32]}.parquet"
    store.put(path, content)
    return File(
        path=path,
        partition=partition,
        rows=len(rows),
        size=len(content),
        sha256=digest,
        schema=dataset.schema_hash,
        level=level,
        revised=bool(rows["revision"].max()),
        **_bounds(dataset, rows),
    )


def _bounds(dataset: Dataset, rows: pl.DataFrame) -> dict[str, Any]:
    """Return between which times and symbols a file's rows lie: readers leave out files by them."""
    time, known_at, symbol = pl.col(dataset.time).to_physical(), pl.col("known_at").to_physical(), pl.col("symbol")
    bounds = rows.select(
        from_at=time.min(),
        to_at=time.max(),
        from_known_at=known_at.min(),
        to_known_at=known_at.max(),
        from_symbol=symbol.min(),
        to_symbol=symbol.max(),
    )
    return bounds.row(0, named=True)


def parse(content: bytes, columns: list[str] | None = None) -> pl.DataFrame:
    """Read the bytes of a file that has been verified."""
    return pl.read_parquet(BytesIO(content), columns=columns)
