"""The arrays of all series: what the kernels share. A line is one symbol of one exchange, with LEVELS series.

Series `s` is `line * LEVELS + level`, levels in the order of the timeframes. Bars are float64 rings of RING columns;
bar `n` of a series stands at `n & (RING - 1)`, and `count` bars are closed, so the forming one is written at `count`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from realtime.candles import CELL, DEPTH, UNSET, Cells, Ints
from realtime.kernel import RING, Floats
from realtime.merge import LEVELS

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
    seen: Ints  # (L): earliest trade since the line is live
    members: Ints  # (L, MEMBERS): lines of a composite, -1 for none; all -1 for an exchange's line
    taken: Ints  # (L): trades folded; tells whether a forming candle has changed
    touched: npt.NDArray[np.uint32]  # (L): bit per slot of a minute that changed


def empty_grid(lines: int) -> Grid:
    """Return a grid without anything in it."""
    series = lines * LEVELS
    cells = np.zeros((series, DEPTH), CELL)
    cells["opened_at"] = -1
    bars = [np.zeros((series, RING)) for _ in range(6)]
    unset = [np.full(lines, UNSET) for _ in range(3)]
    members = np.full((lines, MEMBERS), -1)
    newest, taken, touched = np.full(lines, -1), np.zeros(lines, np.int64), np.zeros(lines, np.uint32)
    first, upcoming, seen = unset
    count, settled = np.zeros(series, np.int64), np.zeros(series, np.int64)
    return Grid(cells, *bars, count, settled, first, upcoming, newest, seen, members, taken, touched)


def grown(grid: Grid, lines: int) -> Grid:
    """Return a larger grid with the same content."""
    larger = empty_grid(lines)
    for old, new in zip(grid, larger, strict=True):
        new[: old.shape[0]] = old
    return larger
