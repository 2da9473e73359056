"""Candles of a file as rows of the lake, each checked."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from infra import clock
from infra.errors import InputError
from ingestion.history.amounts import Amounts, amounts, common
from ingestion.history.files import Raw
from ingestion.history.times import microseconds
from ingestion.lake.datasets import CANDLES
from ingestion.market import TIMEFRAMES, Quality, Symbol, Timeframe

OPENED_AT = ("opened_at", "open_time", "timestamp", "date", "time")
PRICES = ("open", "high", "low", "close")
FAULTS = 3
"""So many wrong rows are named in the error."""


def is_candles(raw: Raw) -> bool:
    """Return whether a file holds candles."""
    return all(name in raw.rows.columns for name in PRICES)


def candle_frame(raw: Raw, exchange: str, symbol: str, timeframe: str, now: clock.Clock = clock.now) -> pl.DataFrame:
    """Return a file's candles as rows of `candles`. Raises InputError that names each kind of wrong row.

    An empty symbol or timeframe comes from the file: a column, its name, the distance between rows. They are known
    when they close; what the file does not say is null.
    """
    times = next((name for name in OPENED_AT if name in raw.rows.columns), None)
    if times is None or "volume" not in raw.rows.columns:
        raise InputError(f"{raw.origin} needs opened_at and volume; it has {', '.join(raw.rows.columns)}")
    opened_at = microseconds(raw.rows[times], raw.origin).alias("opened_at")
    names = _symbols(raw, symbol)
    period = _timeframe(raw, timeframe, names, opened_at)
    numbers = [amounts(raw.rows[name]) for name in (*PRICES, "volume")]
    _check(raw, names, opened_at, numbers, period, now())
    prices, price_scale = common(numbers[:4])
    taker = amounts(raw.rows["taker_buy_volume"]) if "taker_buy_volume" in raw.rows.columns else None
    volumes, quantity_scale = common([numbers[4], *([taker] if taker else [])])
    columns = {"symbol": names, "opened_at": opened_at, **dict(zip(PRICES, prices, strict=True)), "volume": volumes[0]}
    rows = pl.DataFrame({**columns, "price_scale": price_scale, "quantity_scale": quantity_scale})
    rows = rows.with_columns(
        exchange=pl.lit(exchange),
        timeframe=pl.lit(period.value),
        quality=pl.lit(Quality.BACKFILLED.value),
        known_at=pl.col("opened_at") + period.microseconds,
        revision=pl.lit(0),
        simulated=pl.lit(value=False),
        **_more(raw, taker, volumes, rows),
    )
    return rows.select(pl.col(name).cast(kind) for name, kind in CANDLES.columns.items())


def _more(raw: Raw, taker: Amounts | None, volumes: list[np.ndarray], rows: pl.DataFrame) -> dict[str, pl.Series]:
    """Return what only some files say."""
    nothing = pl.Series([None] * len(rows), dtype=pl.Int64)
    names = ("quote_high", "quote_low", "trade_count", "first_id_high", "first_id_low", "last_id_high", "last_id_low")
    more = dict.fromkeys((*names, "taker_buy_volume"), nothing)
    if taker is not None:
        more["taker_buy_volume"] = pl.Series(volumes[1])
    if "trade_count" in raw.rows.columns:
        more["trade_count"] = raw.rows["trade_count"].cast(pl.Int64, strict=False)
    if "quote_volume" in raw.rows.columns:
        scales = (rows["price_scale"] + rows["quantity_scale"]).to_list()
        texts = raw.rows["quote_volume"].cast(pl.String).to_list()
        quotes = [_mantissa(text, scale) for text, scale in zip(texts, scales, strict=True)]
        more["quote_high"] = pl.Series([quote >> 64 for quote in quotes], dtype=pl.Int64)
        more["quote_low"] = pl.Series([quote & (2**64 - 1) for quote in quotes], dtype=pl.UInt64)
    return more


def _mantissa(text: str, scale: int) -> int:
    """Read a decimal with `scale` decimals; further ones, which exchanges round as they like, are dropped.

    >>> _mantissa("12.345", 2), _mantissa("7", 3)
    (1234, 7000)
    """
    integer, _, fraction = text.partition(".")
    return int(integer + fraction[:scale].ljust(scale, "0"))


def _symbols(raw: Raw, symbol: str) -> pl.Series:
    if symbol:
        return pl.Series([str(Symbol.parse(symbol))] * len(raw.rows), dtype=pl.String)
    if "symbol" in raw.rows.columns:
        names = raw.rows["symbol"].cast(pl.String)
        return names.replace_strict({name: str(Symbol.parse(name)) for name in names.unique()}, return_dtype=pl.String)
    if not raw.symbol:
        raise InputError(f"{raw.origin} does not say which symbol it is of; name it with --symbol BTC-USDT")
    return pl.Series([str(Symbol.parse(raw.symbol))] * len(raw.rows), dtype=pl.String)


def _timeframe(raw: Raw, name: str, names: pl.Series, opened_at: pl.Series) -> Timeframe:
    if name := name or raw.timeframe:
        if name not in TIMEFRAMES:
            raise InputError(f"timeframe {name}: there are {', '.join(TIMEFRAMES)}")
        return Timeframe(name)
    steps = pl.DataFrame({"symbol": names, "at": opened_at}).sort("symbol", "at")
    step = steps.select(pl.col("at").diff().over("symbol").alias("step"))["step"].drop_nulls().mode()
    matches = [timeframe for timeframe in TIMEFRAMES if len(step) and timeframe.microseconds == step.min()]
    if not matches:
        raise InputError(f"{raw.origin} does not say its timeframe; name it with --timeframe")
    return matches[0]


def _check(
    raw: Raw, names: pl.Series, opened_at: pl.Series, numbers: list[Amounts], period: Timeframe, now: int
) -> None:
    """Refuse the file if any row is wrong: half a file is a gap that nothing shows."""
    at = opened_at.fill_null(0)
    faults = {
        "opened_at is missing or unreadable": opened_at.is_null(),
        f"opened_at is not aligned to {period}": at % period.microseconds != 0,
        "opened_at is in the future": at + period.microseconds > now,
        **_faults_of_amounts(numbers),
        "symbol and opened_at are there twice": pl.DataFrame({"symbol": names, "at": opened_at}).is_duplicated(),
    }
    for reason, wrong in faults.items():
        if wrong.any():
            rows = wrong.arg_true().to_list()
            places = ", ".join(f"{r + 1} ({names[r]} {_time(opened_at[r])})" for r in rows[:FAULTS])
            more = f" and {len(rows) - FAULTS:,} more" if len(rows) > FAULTS else ""
            raise InputError(f"{raw.origin}: {reason} in row {places}{more}; nothing was imported")


def _faults_of_amounts(numbers: list[Amounts]) -> dict[str, pl.Series]:
    """Return what may be wrong with open, high, low, close and volume, each with the rows where it is."""
    prices, _ = common(numbers[:4])
    open_, high, low, close = prices
    columns = dict(zip((*PRICES, "volume"), numbers, strict=True))
    faults = {
        f"{name} is not a plain decimal of at most 18 digits": column.mantissa < 0 for name, column in columns.items()
    }
    faults |= {f"{name} is not above 0": columns[name].mantissa == 0 for name in PRICES}
    faults |= {
        "prices do not fit one scale": np.any([price < 0 for price in prices], axis=0),
        "high is below low": high < low,
        "high is below open or close": high < np.maximum(open_, close),
        "low is above open or close": low > np.minimum(open_, close),
    }
    return {reason: pl.Series(rows) for reason, rows in faults.items()}


def _time(at: int | None) -> str:
    return "?" if at is None else datetime.fromtimestamp(at / clock.SECOND, UTC).isoformat()
