"""Closing a minute of some lines: its candles and all longer ones that end with it, their indicators and signals."""

import numpy as np

from infra.clock import MINUTE
from realtime.candles.closing import close_minute, complete_parents
from realtime.candles.from_trades import DEPTH, Ints
from realtime.fold.audits import Audits
from realtime.fold.board import Board
from realtime.fold.calculation import Calculation
from realtime.fold.emission import Backfill, Output, candle_rows
from realtime.fold.emitter import Emitter
from realtime.outputs.messages import Kind


class Minutes:
    """Closes minutes of the board."""

    def __init__(self, board: Board, calculation: Calculation, emitter: Emitter, audits: Audits) -> None:
        """Work on a board."""
        self.board = board
        self.calculation = calculation
        self.emitter = emitter
        self.audits = audits

    def close(self, partition: int, lines: Ints, minute: int, known_at: int, watermark: int, out: list[Output]) -> None:
        """Close one minute (counted since 1970) of lines that all have it next; `watermark` settles older bars."""
        self._complete(partition, lines, out)
        board = self.board
        count = close_minute(board.grid, lines, minute, known_at, board.spare, board.closed_rows)
        if count:
            candles = board.closed_rows[:count].copy()
            self.calculation.close(candles[:, 0], candles[:, 2], watermark)
            out.append(self.emitter.emission(partition, Kind.CLOSED, candles, candles[:, [0, 2]], None))
        # The exchange's own candle often comes before ours closes; now there is something to compare it with.
        self.audits.compare(partition, lines, minute, out)

    def _complete(self, partition: int, lines: Ints, out: list[Output]) -> None:
        """After history came, make the longer candles that it did not hold yet from their parts.

        Not at once: the hour's history may come before the minutes' that its last, unfinished hour is made of.
        """
        board = self.board
        for line in lines[board.backfilled[lines] != 0].tolist():
            board.backfilled[line] = 0
            count = complete_parents(board.grid, line, board.spare, board.closed_rows)
            for series, slot, bar in board.closed_rows[:count].tolist():
                self.calculation.close(np.array([series]), np.array([bar]), 0)
                candle = candle_rows(board.grid.cells[series, slot : slot + 1])
                values = board.values[series, bar % DEPTH][None].copy()
                out.append(Backfill(partition, series, candle, bar, values, candle["opened_at"].copy()))


def minutes_until(watermark: int, wait: int) -> int:
    """Return the latest minute that may close when trades are waited for so long (microseconds)."""
    return (watermark - wait) // MINUTE - 1
