"""Rows of the lake as rows of the warehouse: mantissas and scales become decimals, exactly."""

import polars as pl
import pyarrow as pa

from assets.warehouse.tables import AMOUNT, schema
from ingestion.lake.datasets import CANDLES, TRADES, Dataset
from ingestion.market import TradeFlag, trade_id_text

DECIMALS = 18
DIGITS = pl.Decimal(38, 0)
"""The digits of an amount, in units of 10**-18: reinterpreted as decimal(38, 18) without a copy."""
_POWERS = {n: 10**n for n in range(DECIMALS + 1)}
_PRICES = ("open", "high", "low", "close")


def table(dataset: Dataset, rows: pl.DataFrame) -> pa.Table:
    """Return rows with the columns of the dataset's table."""
    if dataset is TRADES:
        rows = rows.with_columns(
            _amount("price", "price_scale"),
            _amount("quantity", "quantity_scale"),
            _trade_id(rows),
            taker_side=pl.when(_flag(TradeFlag.TAKER_BUYS)).then(pl.lit("buy")).otherwise(pl.lit("sell")),
            simulated=_flag(TradeFlag.SIMULATED),
            trade_count="count",
        )
    elif dataset is CANDLES:
        rows = rows.with_columns(
            _quote(),
            *(_amount(name, "price_scale") for name in _PRICES),
            _amount("volume", "quantity_scale"),
            _amount("taker_buy_volume", "quantity_scale"),
        )
    columns = schema(dataset)
    raw = rows.select(columns.names).to_arrow()
    return pa.table([_typed(raw.column(field.name), field.type) for field in columns], schema=columns)


def _flag(flag: TradeFlag) -> pl.Expr:
    return pl.col("flags") & int(flag) != 0


def _amount(name: str, scale: str) -> pl.Expr:
    """Return an amount in units of 10**-18, the digits of its decimal."""
    power = (DECIMALS - pl.col(scale).cast(pl.Int64)).replace_strict(_POWERS, return_dtype=pl.Int64)
    return (pl.col(name).cast(pl.Int128) * power.cast(pl.Int128)).cast(DIGITS).alias(name)


def _quote() -> pl.Expr:
    """Write the quote volume so, digits beyond the eighteenth decimal dropped."""
    high, low = pl.col("quote_high").cast(pl.Int128), pl.col("quote_low").cast(pl.Int128)
    decimals = pl.col("price_scale").cast(pl.Int64) + pl.col("quantity_scale").cast(pl.Int64)
    times = (DECIMALS - decimals).clip(0).replace_strict(_POWERS, return_dtype=pl.Int64).cast(pl.Int128)
    by = (decimals - DECIMALS).clip(0).replace_strict(_POWERS, return_dtype=pl.Int64).cast(pl.Int128)
    return ((high * 2**32 * 2**32 + low) * times // by).cast(DIGITS).alias("quote_volume")


def _trade_id(rows: pl.DataFrame) -> pl.Series:
    """Write ids as their exchange does: a number or a UUID."""
    if not rows["id_high"].max():
        return rows["id_low"].cast(pl.String).alias("trade_id")
    pairs = zip(rows["id_high"].to_list(), rows["id_low"].to_list(), strict=True)
    return pl.Series("trade_id", [trade_id_text(high, low) for high, low in pairs], dtype=pl.String)


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Cast a column to a type; digits become an amount without a copy."""
    if kind != AMOUNT:
        return column.cast(kind)
    chunks = [pa.Array.from_buffers(kind, len(chunk), chunk.buffers(), offset=chunk.offset) for chunk in column.chunks]
    return pa.chunked_array(chunks, type=kind)
