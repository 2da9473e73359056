"""The arrays of all series: what the kernels share. A line is one symbol of one exchange, with LEVELS series.

Series `s` is `line * LEVELS + level`, levels in the order of the timeframes. Bars are float64 rings of RING columns;
bar `n` of a series stands at `n & (RING - 1)`, and `count` bars are closed, so the forming one is written at `count`.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import CELL, DEPTH, UNSET, Cells, Ints
from realtime.kernels.kernel import RING, Floats

LAG = DEPTH - 4
"""Bars that may be closed but not settled: further back nothing is revised."""
MEMBERS = 16
"""Exchanges that one symbol may trade on."""


class Grid(NamedTuple):
    """Arrays over series (S), lines (L)."""

    cells: Cells  # (S, DEPTH): candle at slot `opened_at / length mod DEPTH`
    opened_at: Floats  # (S, RING), as the five below: the bars that indicators read
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    closed: Ints  # (S): bars closed
    settled: Ints  # (S): bars that can no longer be revised
    first: Ints  # (L): oldest minute that takes trades
    upcoming: Ints  # (L): next minute to close
    newest: Ints  # (L): latest minute with trades
    live_since: Ints  # (L): earliest trade since the line is live
    members: Ints  # (L, MEMBERS): lines of a composite, -1 for none; all -1 for an exchange's line
    trade_counts: Ints  # (L): trades folded; another number means that a forming candle has changed
    touched: npt.NDArray[np.uint32]  # (L): bit per slot of a minute that changed


def empty_grid(lines: int) -> Grid:
    """Return a grid without anything in it."""
    series = lines * LEVELS
    cells = np.zeros((series, DEPTH), CELL)
    cells["opened_at"] = -1

    def bars() -> Floats:
        return np.zeros((series, RING))

    def numbers(value: int, count: int = lines) -> Ints:
        return np.full(count, value, np.int64)

    return Grid(
        cells=cells,
        opened_at=bars(),
        open=bars(),
        high=bars(),
        low=bars(),
        close=bars(),
        volume=bars(),
        closed=numbers(0, series),
        settled=numbers(0, series),
        first=numbers(UNSET),
        upcoming=numbers(UNSET),
        newest=numbers(-1),
        live_since=numbers(UNSET),
        members=np.full((lines, MEMBERS), -1),
        trade_counts=numbers(0),
        touched=np.zeros(lines, np.uint32),
    )


def grown(grid: Grid, lines: int) -> Grid:
    """Return a larger grid with the same content."""
    larger = empty_grid(lines)
    before: Any = grid
    after: Any = larger
    for old, new in zip(before, after, strict=True):
        new[: old.shape[0]] = old
    return larger
