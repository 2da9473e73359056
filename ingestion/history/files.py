"""Files of history: CSV, Parquet and Feather, plain or in a zip, with what their names say of them.

Binance's public archive names symbol, kind and timeframe (`BTCUSDT-1m-2023-01.zip`) and has files without a heading.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa
from pyarrow import feather

from infra.clock import DAY, SECOND
from infra.errors import InputError

SUFFIXES = (".csv", ".parquet", ".feather")
MOST_BYTES = 8 << 30
"""A file of a zip that unpacks to more is refused."""
KLINES = (
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trade_count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
)
TRADES = ("trade_id", "price", "quantity", "quote_quantity", "time", "is_buyer_maker", "is_best_match")
AGGREGATES = (
    "agg_trade_id",
    "price",
    "quantity",
    "first_trade_id",
    "last_trade_id",
    "time",
    "is_buyer_maker",
    "is_best_match",
)
LEAN = ("open_time", "open", "high", "low", "close", "volume")
_NAME = re.compile(r"^([A-Z0-9]+)-(aggTrades|trades|[0-9]+[mhd])-[0-9-]+$")


@dataclass(frozen=True)
class Raw:
    """One file as it is: rows with named columns, and what its name says. `origin` names it in errors."""

    origin: str
    rows: pl.DataFrame
    symbol: str = ""
    timeframe: str = ""


def read_files(path: Path) -> Iterator[Raw]:
    """Yield the files of a path: itself, those in a zip, or those in a folder, by name. Raises InputError."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix in {*SUFFIXES, ".zip"}:
                yield from read_files(file)
        return
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    if path.suffix != ".zip":
        yield _read(path.name, path.read_bytes(), str(path))
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                if member.file_size > MOST_BYTES:
                    raise InputError(f"{path}: {member.filename} unpacks to {member.file_size:,} bytes")
                if not member.is_dir():
                    yield _read(member.filename, archive.read(member), f"{path}:{member.filename}")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{path} is damaged: {error}") from error


def _read(name: str, content: bytes, origin: str) -> Raw:
    stem, suffix = Path(name).stem, Path(name).suffix.lower()
    try:
        if suffix == ".csv":
            return _csv(stem, content, origin)
        if suffix == ".parquet":
            return Raw(origin, pl.read_parquet(BytesIO(content)), *_named(stem))
        if suffix == ".feather":
            table = cast("pl.DataFrame", pl.from_arrow(feather.read_table(BytesIO(content))))
            return Raw(origin, table, *_named(stem))
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{origin} can not be read: {error}") from error
    raise InputError(f"{origin}: not one of {', '.join(SUFFIXES)}, .zip")


def _named(stem: str) -> tuple[str, str]:
    """Return symbol and timeframe as an archive's name says them.

    >>> _named("BTCUSDT-1m-2023-01"), _named("BTCUSDT-aggTrades-2023-01-02"), _named("candles")
    (('BTCUSDT', '1m'), ('BTCUSDT', ''), ('', ''))
    """
    match = _NAME.match(stem)
    if match is None:
        return "", ""
    return match[1], "" if match[2].endswith("rades") else match[2]


def _csv(stem: str, content: bytes, origin: str) -> Raw:
    first = content[: content.find(b"\n") if b"\n" in content else None].decode().strip().split(",")
    heading = not any(char.isdigit() for char in first[0])
    names = [] if heading else _headless(stem, len(first), origin)
    rows = pl.read_csv(BytesIO(content), has_header=heading, infer_schema=False, truncate_ragged_lines=False)
    if names:
        rows = rows.rename(dict(zip(rows.columns, names, strict=False)))
    if names == list(LEAN):
        rows = rows.with_columns(_lean_time(stem, rows["open_time"], origin))
    return Raw(origin, rows, *_named(stem))


def _headless(stem: str, count: int, origin: str) -> list[str]:
    """Name the columns of a file without a heading: by how many there are, and by its name."""
    if "aggTrades" in stem and count in {7, 8}:
        return list(AGGREGATES[:count])
    if "trades" in stem and count in {6, 7}:
        return list(TRADES[:count])
    known = {12: KLINES, 6: LEAN}
    if count not in known:
        raise InputError(f"{origin} has no heading and {count} columns: not one of Binance's archives")
    return list(known[count])


def _lean_time(stem: str, column: pl.Series, origin: str) -> pl.Series:
    """Read QuantConnect's times: `20180501 01:00`, or milliseconds since midnight of the day in the name."""
    if column.str.contains(" ").all():
        return column.str.to_datetime("%Y%m%d %H:%M", time_unit="us", time_zone="UTC", strict=False)
    if not re.match(r"\d{8}_", stem):
        raise InputError(f"{origin}: six columns without a heading, and no day in the name")
    day = int(datetime.strptime(stem[:8], "%Y%m%d").replace(tzinfo=UTC).timestamp()) * SECOND
    since = column.cast(pl.Int64, strict=False) * 1_000
    return (since.clip(0, DAY) + day).cast(pl.Datetime("us", "UTC")).alias(column.name)
