"""Forming candles and their indicators: computed on request, without a trace in what closes later."""

import numpy as np

from infra.clock import MINUTE
from realtime.board import Board
from realtime.calculation import Calculation
from realtime.candles import CELL, DEPTH, UNSET, Cells, Ints, clear
from realtime.closing import own_minute, store, write_bar
from realtime.emission import Rows, candle_rows
from realtime.grid import Grid
from realtime.kernel import Floats, compiled
from realtime.merge import LENGTHS, LEVELS, sum_children, sum_members

MOST = 16
"""A line that has more minutes open waits for something and shows nothing."""


@compiled
def form(grid: Grid, lines: Ints, spare: Cells, formed: Cells, pending: Ints) -> None:
    """Write forming candles of lines to `formed` (line by line, LEVELS each) and their bars behind the closed ones.

    `pending` gets how many bars stand behind the closed ones: more than one while a minute that has ended still waits
    for late trades, 0 if there is nothing to show.
    """
    for k in range(lines.shape[0]):
        line = lines[k]
        begin, end, composite = grid.upcoming[line], grid.newest[line], grid.members[line, 0] >= 0
        pending[k * LEVELS : (k + 1) * LEVELS] = 0
        if begin > end or end - begin > MOST:
            continue
        for level in range(LEVELS):
            series, length = line * LEVELS + level, LENGTHS[level]
            bar, found = grid.closed[series], False
            for opened in range(begin // length * length, end + 1, length):
                slot = (opened // length) & (DEPTH - 1)
                if level:
                    found = sum_children(spare, grid.cells, series, level, opened, end + 1, begin)
                elif composite:
                    found = sum_members(spare, grid.cells, grid.members, grid.first, grid.upcoming, line, opened, True)
                else:
                    if grid.cells[series, slot].opened_at != opened * MINUTE:
                        clear(grid.cells[series, slot], opened * MINUTE)
                    found = own_minute(grid, spare, line, opened)
                if not found:
                    break
                store(grid, spare, series, slot, 0, 0)
                write_bar(grid, series, bar, grid.cells[series, slot])
                bar += 1
            if not found:
                break
            formed[k * LEVELS + level] = spare[0]
            pending[k * LEVELS + level] = bar - grid.closed[series]


class Forming:
    """Forming candles and indicators of chosen lines."""

    def __init__(self, board: Board, calculation: Calculation) -> None:
        """Read a board."""
        self.board = board
        self.calculation = calculation

    def compute(self, lines: Ints) -> tuple[Ints, Rows, Floats, Ints]:
        """Return series, CANDLE rows, values, and the number of bars up to and with the forming one."""
        board, grid = self.board, self.board.grid
        live = lines[grid.upcoming[lines] != UNSET]
        whole = grid.members[live, 0] >= 0
        for line in live[whole].tolist():
            grid.newest[line] = max(grid.newest[line], grid.newest[board.members(line)].max())
        formed, pending = np.zeros(len(live) * LEVELS, CELL), np.zeros(len(live) * LEVELS, np.int64)
        form(grid, live, board.spare, formed, pending)
        formed["known_at"] = formed["last_at"]  # what is shown was knowable with its newest trade
        series = (live[:, None] * LEVELS + np.arange(LEVELS)).ravel()
        some = pending > 0
        series, pending = series[some], pending[some]
        if not len(series):
            return series, candle_rows(formed[some]), np.empty((0, board.width)), pending
        values = self.calculation.forming(series, pending)
        return series, candle_rows(formed[some]), values, grid.closed[series] + pending
