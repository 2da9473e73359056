"""Gap records: which minutes have trades that are known to be missing."""

import numpy as np

from infra.clock import MINUTE
from ingestion.messages import Gap
from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import CELL, DEPTH, UNSET
from realtime.fold.board import Board


def mark(board: Board, line: int, gap: Gap) -> None:
    """Count open gaps in every minute that a record touches; closed ones get a revision at the next second."""
    grid = board.grid
    upcoming = int(grid.upcoming[line])
    if upcoming == UNSET:
        return
    # The ring holds DEPTH minutes: what is older can get no revision any more, what is newer is not kept yet.
    newest = max(upcoming, int(grid.newest[line])) + 2
    for minute in range(max(gap.from_at // MINUTE, newest - DEPTH + 1), min(gap.to_at // MINUTE, newest) + 1):
        cell = grid.cells[line * LEVELS, minute % DEPTH]
        if cell["opened_at"] != minute * MINUTE:
            if minute < upcoming:
                continue  # closed, and its place in the ring is another minute's by now
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
    cell: np.void = board.grid.cells[series, minute % DEPTH]
    return cell
