"""Candles in CSV or Parquet files: read, checked row by row, and tables written whole or not at all.

Columns `opened_at open high low close volume`, any order, others are ignored but `symbol`, which may hold several
series. `opened_at` is a time, ISO 8601 text (UTC where it names no zone) or an integer of microseconds UTC.
"""

import os
from pathlib import Path

import polars as pl

from infra.errors import InputError
from infra.files import sync_directory
from ingestion.history.times import from_iso

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume")
LINE = "line"
"""Added column: the row's line in a CSV file (the heading is line 1), the row's number from 1 in a Parquet file."""
FAULT = "fault"
"""Added column: what is wrong with the row, null where nothing is."""


def read_candles(path: Path) -> pl.DataFrame:
    """Return the rows as `line symbol opened_at open high low close volume fault`, else InputError."""
    raw = read_table(path)
    missing = [name for name in ("opened_at", *NUMBERS) if name not in raw.columns]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; it has {', '.join(raw.columns) or 'none'}")
    first = 2 if path.suffix == ".csv" else 1
    symbol = pl.col("symbol").cast(pl.String) if "symbol" in raw.columns else pl.lit("").alias("symbol")
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in NUMBERS]
    table = raw.select(symbol, microseconds(path, raw["opened_at"]), *numbers).with_row_index(LINE, first)
    return with_faults(table)


def read_table(path: Path) -> pl.DataFrame:
    """Return a file as it is; a CSV's cells stay text, so that a bad one costs its row and not the file."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        if path.suffix == ".csv":
            return pl.read_csv(path, infer_schema=False)
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} can not be read: {error}") from error
    raise InputError(f"{path} must end in .csv or .parquet")


def microseconds(path: Path, column: pl.Series) -> pl.Series:
    """Return times as integers of microseconds UTC, null where unreadable."""
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        return column.dt.epoch("us")
    if kind == pl.Date:
        return column.cast(pl.Datetime("us")).dt.epoch("us")
    if kind == pl.String:
        numbers = column.str.strip_chars().cast(pl.Int64, strict=False)
        texts = numbers.is_null() & column.is_not_null()
        if texts.any():
            parsed = column.map_elements(from_iso, return_dtype=pl.Int64)
            numbers = pl.select(pl.when(texts).then(parsed).otherwise(numbers)).to_series().alias("opened_at")
        return check_unit(path, numbers)
    return check_unit(path, column.cast(pl.Int64, strict=False))


def check_unit(path: Path, times: pl.Series) -> pl.Series:
    """Refuse integers that are plainly seconds or milliseconds of our days: all else would be silently wrong."""
    smallest, largest = times.min(), times.max()
    for unit, low, high in (("seconds", 9e8, 5e9), ("milliseconds", 9e11, 5e12)):
        if isinstance(smallest, int) and isinstance(largest, int) and low <= smallest and largest <= high:
            raise InputError(f"{path}: opened_at looks like {unit} ({smallest}); microseconds are expected")
    return times


def with_faults(table: pl.DataFrame) -> pl.DataFrame:
    """Name the first thing wrong with each row; time must go up within a symbol, over the rows that are right."""
    checks = [(pl.col("opened_at").is_null(), "opened_at is missing or unreadable")]
    checks += [(pl.col(name).is_null(), f"{name} is missing or not a number") for name in NUMBERS]
    checks += [(~pl.col(name).is_finite(), f"{name} is not finite") for name in NUMBERS]
    checks += [(pl.col(name) <= 0, f"{name} is not above 0") for name in PRICES]
    checks += [
        (pl.col("volume") < 0, "volume is below 0"),
        (pl.col("high") < pl.col("low"), "high is below low"),
        (pl.col("high") < pl.max_horizontal("open", "close"), "high is below open or close"),
        (pl.col("low") > pl.min_horizontal("open", "close"), "low is above open or close"),
    ]
    fault = pl.coalesce([pl.when(wrong).then(pl.lit(text)) for wrong, text in checks])
    table = table.with_columns(fault.alias(FAULT))
    right = pl.when(pl.col(FAULT).is_null()).then(pl.col("opened_at"))
    latest = right.cum_max().forward_fill().shift(1).over("symbol")
    order = (
        pl.when(pl.col("opened_at") == latest)
        .then(pl.lit("opened_at is a duplicate"))
        .when(pl.col("opened_at") < latest)
        .then(pl.lit("opened_at goes back"))
    )
    return table.with_columns(pl.coalesce(FAULT, order).alias(FAULT))


def check_output(path: Path) -> None:
    """Refuse a place that can not be written before any work is done."""
    if path.suffix not in {".csv", ".parquet"}:
        raise InputError(f"{path} must end in .csv or .parquet")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}")


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write CSV or Parquet by the suffix, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            if path.suffix == ".csv":
                table.write_csv(file)
            else:
                table.write_parquet(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
