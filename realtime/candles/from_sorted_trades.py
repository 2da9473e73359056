"""Columns of trades to candles in one pass: the same monoid as `from_trades.py`, for files whose trades are in order.

Within one candle the sums are taken over whole runs of rows, which the compiler turns into vector instructions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ingestion.market import TRADE
from realtime.candles.from_trades import CELL, USED, Cells, Ints, add, clear, folded
from realtime.candles.int128 import LARGEST, product, total
from realtime.kernels.kernel import compiled


@compiled
def end_of(traded_at: Ints, begin: int, before: int) -> Any:
    """Return the first row from `begin` on whose time is not before `before`: steps that double, then halves."""
    step, low = 1, begin
    while low + step < traded_at.shape[0] and traded_at[low + step] < before:
        low += step
        step *= 2
    high = min(low + step, traded_at.shape[0])
    while low + 1 < high:
        middle = (low + high) // 2
        if traded_at[middle] < before:
            low = middle
        else:
            high = middle
    return high


@compiled
def fold_run(cell: Cells, price: Ints, quantity: Ints, buys: Ints, begin: int, end: int) -> bool:
    """Fold rows begin to end into an empty cell; False if the sum of the quantities exceeds 63 bits."""
    prices, quantities = price[begin:end], quantity[begin:end]  # a slice has no negative index to think of
    high, low, volume, bits, quote, bought = price[begin], price[begin], 0, 0, 0, 0
    for i in range(end - begin):  # sums may wrap here: `bits`, no less than the largest quantity, tells
        high = max(high, prices[i])
        low = min(low, prices[i])
        volume += quantities[i]
        bits |= quantities[i]
        quote += prices[i] * quantities[i]
    if bits > LARGEST // (end - begin):
        volume = 0
        for amount in quantities:
            if amount > LARGEST - volume:
                return False
            volume += amount
    sides = buys[begin:end]  # empty where nothing is known of the sides
    for i in range(sides.shape[0]):
        bought += quantities[i] * sides[i]
    quote_high: Any = np.int64(0)
    quote_low: Any = np.uint64(quote)
    if high > LARGEST // volume:
        quote_low = np.uint64(0)
        for i in range(begin, end):
            more_high, more_low = product(price[i], quantity[i])
            quote_high, quote_low = total(quote_high, quote_low, more_high, more_low)
    row = cell[0]
    row.open, row.high, row.low, row.close = price[begin], high, low, price[end - 1]
    row.volume, row.taker_buy_volume, row.trade_count = volume, bought, end - begin
    row.quote_high, row.quote_low = quote_high, quote_low
    return True


@compiled
def fold_columns(
    traded_at: Ints, price: Ints, quantity: Ints, buys: Ints, ids: Ints, length: int, out: Cells
) -> tuple[int, int]:
    """Fold trades in order into candles of a length; return how many rows and how many candles.

    Prices and quantities are positive mantissas of one scale. `buys` (1 where the taker bought) and `ids` may be empty.
    Candles without trades between others repeat the close. Ends before a candle whose sum exceeds 63 bits. `out` are
    empty CELLs, enough for all.
    """
    i, n = 0, 0
    while i < traded_at.shape[0]:
        opened_at = traded_at[i] // length * length
        while n > 0 and out[n - 1].opened_at + length < opened_at:
            out[n].opened_at = out[n - 1].opened_at + length
            out[n].open = out[n].high = out[n].low = out[n].close = out[n - 1].close
            n += 1
        end = end_of(traded_at, i, opened_at + length)
        if not fold_run(out[n : n + 1], price, quantity, buys, i, end):
            return i, n
        out[n].opened_at = opened_at
        out[n].first_at, out[n].last_at = traded_at[i], traded_at[end - 1]
        if ids.shape[0]:
            out[n].first_id_low, out[n].last_id_low = np.uint64(ids[i]), np.uint64(ids[end - 1])
        i = end
        n += 1
    return i, n


@compiled
def fold_rows(trades: Cells, length: int, out: Cells) -> tuple[int, int]:
    """Fold trades (FOLDED rows in order, each with its own scales) as `fold_columns` does, one by one."""
    n = 0
    for i in range(trades.shape[0]):
        opened_at = trades[i].traded_at // length * length
        while n == 0 or out[n - 1].opened_at < opened_at:
            row = out[n]
            clear(row, opened_at if n == 0 else out[n - 1].opened_at + length)
            if n > 0:
                row.open = row.high = row.low = row.close = out[n - 1].close
                row.price_scale = out[n - 1].price_scale
            n += 1
        if add(out[n - 1], trades[i], np.uint64(0)) != USED:
            return i, n
    return trades.shape[0], n


def candles(columns: "TradeColumns", length: int) -> Cells:
    """Return all candles (CELL rows) of trades in order. Raises OverflowError when a sum exceeds 63 bits."""
    at = columns.traded_at
    if not len(at):
        return np.zeros(0, CELL)
    out = np.zeros(int(at[-1] // length - at[0] // length) + 1, CELL)
    rows = 0
    if columns.same_scale:
        rows, count = fold_columns(at, columns.price, columns.quantity, columns.buys, columns.ids, length, out)
        out["price_scale"], out["quantity_scale"] = columns.price_scale, columns.quantity_scale
    if rows < len(at):
        out[:] = np.zeros(1, CELL)
        rows, count = fold_rows(folded(columns.rows()), length, out)
    if rows < len(at):
        raise OverflowError(f"the quantities of the candle at {int(at[rows]) // length * length} exceed 63 bits")
    return out[:count]


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Trades in order; amounts as mantissa and scale; `buys` and `ids` are empty where they are not known.

    A scale that all rows share stands there once.
    """

    traded_at: Ints
    price: Ints
    quantity: Ints
    price_scale: Ints
    quantity_scale: Ints
    buys: Ints
    ids: Ints

    @property
    def same_scale(self) -> bool:
        """Whether all amounts of a column can be added as they are."""
        return len(self.price_scale) == len(self.quantity_scale) == 1

    def rows(self) -> Cells:
        """Return TRADE rows in the same order; ids are the rows' numbers where they are not known."""
        rows = np.zeros(len(self.traded_at), TRADE)
        for name in ("traded_at", "price", "quantity", "price_scale", "quantity_scale"):
            rows[name] = getattr(self, name)
        rows["sequence"] = np.arange(len(rows))
        if len(self.ids):
            rows["id_low"] = self.ids
        if len(self.buys):
            rows["flags"] = self.buys
        return rows
