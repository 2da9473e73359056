"""Forming candles and their indicators: computed on request, without a trace in what closes later."""

import numpy as np

from infra.clock import MINUTE
from realtime.candles.closing import own_minute, store, write_bar
from realtime.candles.from_candles import LENGTHS, LEVELS, sum_children, sum_members
from realtime.candles.from_trades import CELL, DEPTH, Cells, Ints, clear
from realtime.candles.grid import Grid
from realtime.fold.board import Board
from realtime.fold.calculation import Calculation
from realtime.fold.emission import Rows, candle_rows
from realtime.kernels.kernel import Floats, compiled

MOST = 16
"""A line that has more minutes open waits for something and shows nothing."""


@compiled
def form_line(grid: Grid, line: int, spare: Cells, formed: Cells, series_of: Ints, pending: Ints, n: int) -> int:
    """Form one line's candles, longest last; see `form`."""
    composite = grid.members[line, 0] >= 0
    for member in grid.members[line]:
        if member < 0:
            break
        grid.newest[line] = max(grid.newest[line], grid.newest[member])
    begin, end = grid.upcoming[line], grid.newest[line]
    if begin > end or end - begin > MOST:
        return n
    for level in range(LEVELS):
        series, length = line * LEVELS + level, LENGTHS[level]
        bar = grid.closed[series]
        for opened in range(begin // length * length, end + 1, length):
            slot = (opened // length) & (DEPTH - 1)
            if level:
                filled = sum_children(spare, grid.cells, series, level, opened, end + 1, begin)
            elif composite:
                filled = sum_members(spare, grid.cells, grid.members, grid.first, grid.upcoming, line, opened, True)
            else:
                if grid.cells[series, slot].opened_at != opened * MINUTE:
                    clear(grid.cells[series, slot], opened * MINUTE)
                filled = own_minute(grid, spare, line, opened)
            if not filled:
                return n
            store(grid, spare, series, slot, 0, 0)
            write_bar(grid, series, bar, grid.cells[series, slot])
            bar += 1
        formed[n], series_of[n], pending[n] = spare[0], series, bar - grid.closed[series]
        formed[n].known_at = max(spare[0].opened_at, spare[0].last_at)  # what it shows was known with its last trade
        n += 1
    return n


@compiled
def form(grid: Grid, lines: Ints, spare: Cells, formed: Cells, series_of: Ints, pending: Ints) -> int:
    """Write the forming candles of lines and their series to `formed` and `series_of`; return how many there are.

    Their bars go behind the closed ones. `pending` gets how many those are: more than one while a minute that has ended
    still waits for late trades.
    """
    n = 0
    for line in lines:
        n = form_line(grid, line, spare, formed, series_of, pending, n)
    return n


class Forming:
    """Forming candles and indicators of chosen lines."""

    def __init__(self, board: Board, calculation: Calculation) -> None:
        """Read a board."""
        self.board = board
        self.calculation = calculation
        self._room(64)

    def _room(self, lines: int) -> None:
        self._formed = np.zeros(lines * LEVELS, CELL)
        self._series, self._pending = np.zeros((2, lines * LEVELS), np.int64)

    def compute(self, lines: Ints) -> tuple[Ints, Rows, Floats, Ints]:
        """Return series, CANDLE rows, values, and the number of bars up to and with the forming one."""
        board = self.board
        if len(lines) * LEVELS > len(self._series):
            self._room(2 * len(lines))
        n = form(board.grid, lines, board.spare, self._formed, self._series, self._pending)
        series, pending = self._series[:n].copy(), self._pending[:n].copy()
        values = self.calculation.forming(series, pending)
        return series, candle_rows(self._formed[:n]), values, board.grid.closed[series] + pending
