"""Trades in CSV or Parquet files: read, checked row by row, as exact integers.

Columns `traded_at price quantity`, optionally `trade_id` and `taker_side` (buy, sell). `traded_at` is a time, ISO 8601
text (UTC where it names no zone) or an integer of microseconds UTC; amounts are decimal text or numbers.
"""

from pathlib import Path

import numpy as np
import polars as pl

from infra.errors import InputError
from realtime.candles.from_sorted_trades import TradeColumns
from realtime.candles.from_trades import Ints
from realtime.files.candles import FAULT, LINE, microseconds, read_table

NEEDED = ("traded_at", "price", "quantity")
DIGITS = 18
"""Most digits of an amount: more do not fit 63 bits."""
ROOM = 10**15
"""Larger mantissas might not add up to one candle within 63 bits: such a column keeps a scale per row."""
NUMBER = r"^\+?([0-9]*)(?:\.([0-9]*))?$"
SIDES = {"buy": 1, "sell": 0}


def read_trades(path: Path) -> pl.DataFrame:
    """Return the rows as `line traded_at price quantity taker_side trade_id fault`; amounts as plain decimal text."""
    raw = read_table(path)
    missing = [name for name in NEEDED if name not in raw.columns]
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; it has {', '.join(raw.columns) or 'none'}")
    columns = [microseconds(path, raw["traded_at"]).alias("traded_at")]
    columns += [decimal_text(raw[name]).alias(name) for name in ("price", "quantity")]
    columns += [
        raw[name].cast(pl.String) if name in raw.columns else pl.Series(name, [None] * len(raw), pl.String)
        for name in ("taker_side", "trade_id")
    ]
    table = pl.DataFrame(columns).with_row_index(LINE, 2 if path.suffix == ".csv" else 1)
    return with_faults(table, sides="taker_side" in raw.columns)


def decimal_text(column: pl.Series) -> pl.Series:
    """Return amounts as plain decimal text: numbers by their shortest exact spelling."""
    if column.dtype in {pl.Float32, pl.Float64}:
        return column.map_elements(lambda x: np.format_float_positional(x, trim="-"), return_dtype=pl.String)
    return column.cast(pl.String).str.strip_chars()


def with_faults(table: pl.DataFrame, *, sides: bool) -> pl.DataFrame:
    """Name the first thing wrong with each row."""
    checks = [(pl.col("traded_at").is_null(), "traded_at is missing or unreadable")]
    for name in ("price", "quantity"):
        text = pl.col(name)
        digits = text.str.replace_all(r"\.", "").str.strip_chars_start("0+")
        checks += [
            (
                text.is_null() | ~text.str.contains(NUMBER) | ~text.str.contains("[0-9]"),
                f"{name} is not a decimal number",
            ),
            (digits.str.strip_chars_end("0").str.len_chars() > DIGITS, f"{name} has more than {DIGITS} digits"),
            (digits == "", f"{name} is not above 0"),
        ]
    if sides:
        checks.append(
            (~pl.col("taker_side").is_in(list(SIDES)).fill_null(value=False), "taker_side is not buy or sell")
        )
    fault = pl.coalesce([pl.when(wrong).then(pl.lit(text)) for wrong, text in checks])
    return table.with_columns(fault.alias(FAULT))


def as_columns(table: pl.DataFrame) -> TradeColumns:
    """Read good rows as integers, in the order of time, then of trade id where it is a number, then of the file."""
    ids = table["trade_id"].cast(pl.Int64, strict=False)
    numbered = len(ids) > 0 and ids.null_count() == 0
    table = table.with_columns(ids.alias("trade_id") if numbered else pl.lit(0).alias("trade_id"))
    if numbered or not table["traded_at"].is_sorted():
        table = table.sort("traded_at", "trade_id", maintain_order=True)
    sides = table["taker_side"].replace_strict(SIDES, return_dtype=pl.Int64, default=None)
    unknown = np.empty(0, np.int64)
    price, price_scale = mantissas(table["price"])
    quantity, quantity_scale = mantissas(table["quantity"])
    return TradeColumns(
        traded_at=table["traded_at"].to_numpy(),
        price=price,
        quantity=quantity,
        price_scale=price_scale,
        quantity_scale=quantity_scale,
        buys=sides.to_numpy() if sides.null_count() == 0 else unknown,
        ids=table["trade_id"].to_numpy() if numbered else unknown,
    )


def mantissas(column: pl.Series) -> tuple[Ints, Ints]:
    """Return decimal texts as integers and their scales: one for all where that leaves room for sums, else one each."""
    parts = pl.DataFrame({"whole": column.str.extract(NUMBER, 1), "part": column.str.extract(NUMBER, 2)})
    parts = parts.with_columns(pl.col("part").fill_null("").str.strip_chars_end("0"))
    scales = parts["part"].str.len_chars().cast(pl.Int64)
    widest = int(scales.max() or 0)  # type: ignore[arg-type]  # a count: polars types every max as any of its scalars
    together = (pl.col("whole") + pl.col("part").str.pad_end(widest, "0")).cast(pl.Int64, strict=False)
    numbers = parts.select(together).to_series()
    if not numbers.null_count() and (numbers.max() or 0) < ROOM:  # type: ignore[operator]  # a number: as above
        return numbers.to_numpy(), np.array([widest])
    own = parts.select((pl.col("whole") + pl.col("part")).cast(pl.Int64)).to_series()
    return own.to_numpy(), scales.to_numpy()
