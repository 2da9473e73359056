"""Warm-up: the exchanges' own closed candles, appended to their series before the live ones.

A composite's history begins where all exchanges of the message have begun and ends where the first of them ends, so
that its volume does not jump when an exchange's history starts; an exchange without any candle is left out.
"""

import numpy as np
import numpy.typing as npt

from infra.clock import MINUTE
from ingestion.market import TIMEFRAMES, Timeframe
from realtime.candles.closing import append_history
from realtime.candles.from_candles import LEVELS, add_part, begin_sum
from realtime.candles.from_trades import BACKFILLED, CELL, DEPTH, UNSET, Cells, exchange_code
from realtime.fold.board import Board
from realtime.fold.calculation import Calculation
from realtime.fold.emission import Backfill, candle_rows
from realtime.kernels.kernel import compiled
from realtime.outputs.stored import KEPT_CANDLES, KEPT_INDICATORS

Rows = npt.NDArray[np.void]
CHUNK = 32
"""Bars folded at once: the ring must still hold what the steps look back to."""


def append(
    board: Board, calculation: Calculation, line: int, timeframe: str, rows: Rows, exchange: str
) -> Backfill | None:
    """Append the candles after the last closed bar of a series, None if there are none."""
    level = TIMEFRAMES.index(Timeframe(timeframe))
    series, grid, length = line * LEVELS + level, board.grid, Timeframe(timeframe).microseconds
    count = int(grid.closed[series])
    after = int(grid.opened_at[series, (count - 1) % grid.opened_at.shape[1]]) if count else -1
    cells = as_cells(rows, exchange) if rows.dtype != CELL else rows
    cells = cells[(cells["opened_at"] > after) & (cells["opened_at"] % length == 0)]
    if level and grid.upcoming[line] != UNSET:
        # A longer candle that reaches into the live minutes is made of them, so that its late trades revise it, too.
        cells = cells[cells["opened_at"] + length <= grid.upcoming[line] * MINUTE]
    if not len(cells):
        return None
    values = _fold(board, calculation, series, level, cells)
    if level == 0:
        _begin_live(board, line, int(cells["opened_at"][-1]) // MINUTE + 1)
    latest = values[-KEPT_INDICATORS:]
    first_bar = int(grid.closed[series]) - len(latest)
    opened_at = cells["opened_at"][-len(latest) :].copy()
    partition = board.lines[line].partition
    return Backfill(partition, series, candle_rows(cells[-KEPT_CANDLES:]), first_bar, latest, opened_at)


def as_cells(rows: Rows, exchange: str) -> Cells:
    """Read CANDLE rows as cells: opened by a trade at their first microsecond and closed by one at their last."""
    cells = np.zeros(len(rows), CELL)
    for name in rows.dtype.names or ():
        if name != "_":
            cells[name] = rows[name]
    lengths = np.diff(rows["opened_at"], append=rows["opened_at"][-1:] + MINUTE)
    cells["first_at"], cells["last_at"] = rows["opened_at"], rows["opened_at"] + lengths - 1
    cells["first_exchange"] = cells["last_exchange"] = np.uint64(exchange_code(exchange))
    cells["quality"] = BACKFILLED
    return cells


def spans(rows: dict[str, Rows]) -> tuple[int, int]:
    """Return the first and last opening time that all exchanges with candles cover."""
    times = [candles["opened_at"] for candles in rows.values() if len(candles)]
    return (max(int(at[0]) for at in times), min(int(at[-1]) for at in times)) if times else (0, -1)


def merged(rows: dict[str, Rows], begin: int, end: int) -> Cells:
    """Merge the exchanges' candles of each opening time between two, both included."""
    parts = [as_cells(r, name) for name, r in sorted(rows.items()) if len(r)]
    if not parts:
        return np.zeros(0, CELL)
    cells, at = np.zeros(sum(map(len, parts)), CELL), 0
    for part in parts:  # np.concatenate would pack the dtype and lose its padding
        cells[at : at + len(part)] = part
        at += len(part)
    cells = cells[(cells["opened_at"] >= begin) & (cells["opened_at"] <= end)]
    cells = cells[np.argsort(cells["opened_at"], kind="stable")]
    out, spare = np.zeros(len(cells), CELL), np.zeros(2, CELL)
    return out[: merge_equal(cells.reshape(-1, 1), spare, out)]


@compiled
def merge_equal(cells: Cells, spare: Cells, out: Cells) -> int:
    """Merge neighbours of equal opening time; return how many candles came out."""
    n = i = 0
    while i < cells.shape[0]:
        opened_at, first = cells[i, 0].opened_at, i
        begin_sum(spare, opened_at)
        while i < cells.shape[0] and cells[i, 0].opened_at == opened_at:
            add_part(spare, cells, i, 0)
            i += 1
        known_at = cells[first, 0].known_at
        out[n] = spare[0] if spare[0].volume > 0 else cells[first, 0]
        out[n].known_at, out[n].revision = known_at, 0
        n += 1
    return n


def _fold(board: Board, calculation: Calculation, series: int, level: int, cells: Cells) -> npt.NDArray[np.float64]:
    """Append cells chunk by chunk; return the values of each."""
    values = []
    row = np.array([series])
    for start in range(0, len(cells), CHUNK):
        begin = board.grid.closed[row]
        append_history(board.grid, cells[start : start + CHUNK], series, level)
        values.append(calculation.warm(row, begin, board.grid.closed[row]))
    return np.concatenate(values)


def _begin_live(board: Board, line: int, minute: int) -> None:
    """Let live trades begin after the history; what came before it is in it already."""
    grid = board.grid
    grid.first[line] = grid.upcoming[line] = minute
    board.backfilled[line] = 1
    board.paused[line] = 0
    keep = 0
    for live in range(minute, minute + DEPTH // 2):
        keep |= 1 << (live % DEPTH)
    grid.touched[line] &= np.uint32(keep)
