"""Indicators of many series in one call each: closed bars, revised bars, forming bars."""

import numpy as np

from infra.clock import MINUTE
from realtime.candles.from_candles import LENGTHS, LEVELS
from realtime.candles.from_trades import DEPTH, Ints
from realtime.candles.grid import LAG
from realtime.fold.board import Board
from realtime.indicators import fold_all
from realtime.kernels.kernel import RING, Floats

KEPT_BYTES = 64 << 20
"""A larger buffer of outputs is not kept for the next revision."""


class Calculation:
    """Folds bars of the board into its states and values."""

    def __init__(self, board: Board, window: int) -> None:
        """Work on a board; bars stay revisable for `window` microseconds."""
        self.board = board
        self.window = window
        self._out: Floats = np.empty((64, board.width, 1))
        self._deep: Floats = np.empty((8, board.width, 32))

    def _fold(self, states: Floats, rows: Ints, begin: Ints, end: Ints, commit: bool) -> Floats:
        depth = int((end - begin).max(initial=1))
        out = self._out if depth == 1 else self._deep
        if out.shape[0] < len(rows) or out.shape[2] < depth:
            out = np.empty((max(len(rows), out.shape[0]), self.board.width, depth))
            if depth == 1:
                self._out = out
            elif out.nbytes < KEPT_BYTES:
                self._deep = out
        grid = self.board.grid
        bars = (grid.opened_at, grid.open, grid.high, grid.low, grid.close, grid.volume)
        rows, begin, end = (np.ascontiguousarray(a) for a in (rows, begin, end))
        fold_all(states, bars, RING - 1, rows, begin, end, out, commit)
        return out

    def close(self, rows: Ints, bars: Ints, watermark: int) -> None:
        """Fold one newly closed bar of each series, then settle the bars that are past the window."""
        board = self.board
        out = self._fold(board.states, rows, bars, bars + 1, commit=True)
        board.values[rows, bars % DEPTH] = out[: len(rows), :, 0]
        board.recomputed[rows, bars % DEPTH] = 0
        self._settle(rows, bars + 1, watermark)

    def warm(self, row: Ints, begin: Ints, end: Ints) -> Floats:
        """Fold bars of history, which are never revised, into one series; return their values (bars, columns)."""
        board, series = self.board, int(row[0])
        out = self._fold(board.states, row, begin, end, commit=True)
        values = out[0, :, : int(end[0] - begin[0])].T.copy()
        for bar, fresh in zip(range(int(begin[0]), int(end[0])), values, strict=True):
            board.values[series, bar % DEPTH] = fresh
            board.recomputed[series, bar % DEPTH] = 0
        # History is never revised, so it is settled at once; a late trade of the first live minute starts behind it.
        board.settled_states[series] = board.states[series]
        board.grid.settled[series] = end[0]
        return values

    def _settle(self, rows: Ints, count: Ints, watermark: int) -> None:
        """Move the settled states on; at most LAG bars stay behind."""
        board, grid = self.board, self.board.grid
        lengths = LENGTHS[rows % LEVELS] * MINUTE
        newest = grid.opened_at[rows, (count - 1) % RING].astype(np.int64)
        # A bar may be revised until its closing time is a whole window (and one bar's tail) behind the watermark.
        behind = np.clip((newest + lengths + self.window + MINUTE - watermark) // lengths + 1, 1, LAG)
        begin = board.grid.settled[rows]
        end = np.maximum(begin, count - behind)
        some = end > begin
        if some.any():
            rows, begin, end = rows[some], begin[some], end[some]
            self._fold(board.settled_states, rows, begin, end, commit=True)
            board.grid.settled[rows] = end

    def refold(self, rows: Ints) -> Ints:
        """Fold series again from their settled states; return (series, bar) of every bar whose values changed.

        Values that come out as they were are not published again: readers would see revisions in which nothing differs.
        """
        board = self.board
        begin, end = board.grid.settled[rows], board.grid.closed[rows]
        board.states[rows] = board.settled_states[rows]
        out = self._fold(board.states, rows, begin, end, commit=True)
        changed = []
        for k, (series, low, high) in enumerate(zip(rows.tolist(), begin.tolist(), end.tolist(), strict=True)):
            for bar in range(low, high):
                fresh = out[k, :, bar - low]
                values = board.values[series, bar % DEPTH]
                if not np.array_equal(fresh, values, equal_nan=True):
                    values[:] = fresh
                    board.recomputed[series, bar % DEPTH] += 1
                    changed.append((series, bar))
        return np.array(changed, np.int64).reshape(-1, 2)

    def forming(self, rows: Ints, pending: Ints) -> Floats:
        """Return the values (series, columns) of forming bars, `pending` of which stand after the last closed one."""
        if not len(rows):
            return np.empty((0, self.board.width))
        count = self.board.grid.closed[rows]
        # Without commit every step works on copies: a look at the forming bar must leave no trace in what closes later.
        out = self._fold(self.board.states, rows, count, count + pending, commit=False)
        values: Floats = out[np.arange(len(rows)), :, pending - 1]
        return values
