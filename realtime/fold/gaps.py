"""Gap records: which minutes have trades that are known to be missing."""

from infra.clock import MINUTE
from ingestion.messages import Gap
from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import CELL, DEPTH, UNSET
from realtime.fold.board import Board

import numpy as np  # isort: skip


def mark(board: Board, line: int, gap: Gap) -> None:
    """Count open gaps in every minute that a record touches; closed ones get a revision at the next second."""
    grid = board.grid
    upcoming = int(grid.upcoming[line])
    if upcoming == UNSET:
        return
    newest = max(upcoming, int(grid.newest[line])) + 2
    for minute in range(max(gap.from_at // MINUTE, newest - DEPTH + 1), min(gap.to_at // MINUTE, newest) + 1):
        cell = grid.cells[line * LEVELS, minute % DEPTH]
        if cell["opened_at"] != minute * MINUTE:
            if minute < upcoming:
                continue
            cell = _cleared(board, line * LEVELS, minute)
        if gap.status == "open":
            cell["gaps"] += 1
        elif gap.status == "healed":
            cell["gaps"], cell["healed"] = max(0, int(cell["gaps"]) - 1), 1
        else:
            cell["gaps"] = max(1, int(cell["gaps"]))
        grid.touched[line] |= np.uint32(1 << (minute % DEPTH))


def _cleared(board: Board, series: int, minute: int) -> np.void:
    empty = np.zeros(1, CELL)
    empty["opened_at"] = minute * MINUTE
    board.grid.cells[series, minute % DEPTH] = empty[0]
    found: np.void = board.grid.cells[series, minute % DEPTH]
    return found
