"""Times in files to microseconds UTC, whatever way they are written."""

from datetime import UTC, datetime, timedelta

import polars as pl

from infra.errors import InputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = ((9e8, 5e9, 1_000_000), (9e11, 5e12, 1_000), (9e14, 5e15, 1), (9e17, 5e18, 0))
"""Numbers between the first two are seconds, milliseconds, microseconds, nanoseconds of 1998 to 2128."""


def microseconds(column: pl.Series, origin: str) -> pl.Series:
    """Return times as int64 microseconds, null where unreadable; text without a zone is UTC.

    >>> microseconds(pl.Series(["1672531200000"]), "")[0] == microseconds(pl.Series(["2023-01-01T00:00:00"]), "")[0]
    True
    """
    kind = column.dtype
    if isinstance(kind, pl.Datetime):
        return column.dt.epoch("us")
    if kind == pl.Date:
        return column.cast(pl.Datetime("us")).dt.epoch("us")
    if kind == pl.String and not (numbers := column.str.strip_chars().cast(pl.Int64, strict=False)).is_null().all():
        return _scaled(numbers, origin)
    if kind == pl.String:
        return column.map_elements(from_iso, return_dtype=pl.Int64)
    return _scaled(column.cast(pl.Int64, strict=False), origin)


def _scaled(numbers: pl.Series, origin: str) -> pl.Series:
    """Return numbers of any unit as microseconds; Binance's archives write milliseconds, since 2025 microseconds."""
    smallest, largest = numbers.min(), numbers.max()
    for low, high, factor in UNITS:
        if isinstance(smallest, int) and isinstance(largest, int) and low <= smallest and largest <= high:
            return numbers * factor if factor else numbers // 1_000
    raise InputError(f"{origin}: times from {smallest!r} to {largest!r} are not of one unit between 1998 and 2128")


def from_iso(text: str) -> int | None:
    """Return ISO 8601 text as microseconds; None if it is not."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)
