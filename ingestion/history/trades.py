"""Trades of a file as rows of the lake, each checked."""

import polars as pl

from infra.errors import InputError
from ingestion.history.amounts import amounts
from ingestion.history.files import Raw
from ingestion.history.times import microseconds
from ingestion.lake.datasets import TRADES
from ingestion.market import Symbol

TRADED_AT = ("traded_at", "time", "timestamp", "transact_time")
IDS = ("last_trade_id", "trade_id", "id")
SIDES = {"true": 0, "false": 1, "sell": 0, "buy": 1}
"""Whether the taker bought, by `is_buyer_maker` or by the taker's side."""


def is_trades(raw: Raw) -> bool:
    """Return whether a file holds trades."""
    return "price" in raw.rows.columns and _first(raw, TRADED_AT) is not None


def trade_frame(raw: Raw, exchange: str, symbol: str) -> pl.DataFrame:
    """Return a file's trades as rows of `trades`; each is known when it happened. Raises InputError.

    Needs time, id, price, quantity and who took (`is_buyer_maker`, `buyer_maker` or `taker_side`).
    """
    time, identity = _first(raw, TRADED_AT), _first(raw, IDS)
    quantity = _first(raw, ("quantity", "qty", "amount"))
    side = _first(raw, ("is_buyer_maker", "buyer_maker", "taker_side"))
    if not (time and identity and quantity and side):
        raise InputError(f"{raw.origin} needs time, trade id, quantity and side; it has {', '.join(raw.rows.columns)}")
    if not (name := symbol or raw.symbol):
        raise InputError(f"{raw.origin} does not say which symbol it is of; name it with --symbol BTC-USDT")
    price, size = amounts(raw.rows["price"]), amounts(raw.rows[quantity])
    ids = raw.rows[identity].cast(pl.Int64, strict=False)
    first = raw.rows["first_trade_id"].cast(pl.Int64, strict=False) if "first_trade_id" in raw.rows.columns else ids
    at = microseconds(raw.rows[time], raw.origin)
    buys = raw.rows[side].cast(pl.String).str.to_lowercase().replace_strict(SIDES, default=None, return_dtype=pl.UInt8)
    faults = {
        "time is missing or unreadable": at.is_null(),
        "trade id is missing or not a number": ids.is_null() | (ids < 0),
        "price is not a plain decimal above 0": pl.Series(price.mantissa <= 0),
        "quantity is not a plain decimal above 0": pl.Series(size.mantissa <= 0),
        f"{side} is not one of {', '.join(SIDES)}": buys.is_null(),
        "trade id is there twice": ids.is_duplicated(),
    }
    _check(raw, faults)
    times_and_ids = {"traded_at": at, "known_at": at, "sequence": ids, "id_low": ids, "count": ids - first + 1}
    amounts_of_rows = {"price": price.mantissa, "price_scale": price.scale}
    amounts_of_rows |= {"quantity": size.mantissa, "quantity_scale": size.scale}
    rows = pl.DataFrame({**times_and_ids, **amounts_of_rows, "flags": buys}).with_columns(
        exchange=pl.lit(exchange), symbol=pl.lit(str(Symbol.parse(name))), revision=pl.lit(0), id_high=pl.lit(0)
    )
    return rows.select(pl.col(name).cast(kind) for name, kind in TRADES.columns.items())


def _first(raw: Raw, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in raw.rows.columns), None)


def _check(raw: Raw, faults: dict[str, pl.Series]) -> None:
    for reason, wrong in faults.items():
        if wrong.any():
            rows = wrong.arg_true().to_list()
            raise InputError(
                f"{raw.origin}: {reason} in row {rows[0] + 1} and {len(rows) - 1:,} more; nothing was imported"
            )
