"""Trades into the minutes of their lines: which minute takes a trade, and why another is refused."""

from typing import Any

import numpy as np
import numpy.typing as npt

from infra.clock import MINUTE
from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import BAD, BEFORE, DEPTH, FUTURE, LATE, USED, Cells, Ints, add, clear
from realtime.kernels.kernel import compiled, kernel


@kernel
def judge(trade: Any, minute: int, floor: int, ceiling: int, first: int, closed: int) -> int:
    """Return USED if a line may take a trade, else why not; `first` is its oldest minute, `closed` how many it closed.

    A line that has closed nothing yet begins with its earliest trade, in whatever order they arrive.
    """
    # Only scalars and a record come in here: numba counts references to an array that gets a name inside a loop.
    if trade.price <= 0 or trade.quantity <= 0:
        return BAD
    if minute > ceiling:
        return FUTURE
    if minute < floor:
        return LATE
    return BEFORE if minute < first and closed > 0 else USED


@compiled
def fold_trades(
    trades: Cells,
    lines: Ints,
    exchange: Any,
    floor: int,
    ceiling: int,
    cells: Cells,
    closed: Ints,
    first: Ints,
    upcoming: Ints,
    newest: Ints,
    live_since: Ints,
    trade_counts: Ints,
    touched: npt.NDArray[np.uint32],
    fates: npt.NDArray[np.uint8],
) -> int:
    """Fold trades (FOLDED) of one exchange into their minutes; return how many were not used.

    `lines[symbol]` is the line of a message's symbol; minutes outside `floor..ceiling` are refused. `fates` gets a fate
    per trade. The arrays between are those of the Grid, which as a whole would take as long to pass as 70 trades.
    """
    refused = 0
    for i in range(trades.shape[0]):
        trade = trades[i]
        line, minute = lines[trade.symbol], trade.traded_at // MINUTE
        fate = judge(trade, minute, floor, ceiling, first[line], closed[line * LEVELS])
        if fate == USED:
            if minute < first[line]:
                first[line] = upcoming[line] = minute
            cell = cells[line * LEVELS, minute & (DEPTH - 1)]
            if cell.opened_at != minute * MINUTE:
                clear(cell, minute * MINUTE)
            fate = add(cell, trade, exchange)
            if fate == USED:
                trade_counts[line] += 1
                touched[line] |= np.uint32(1) << np.uint32(minute & (DEPTH - 1))
                newest[line], live_since[line] = max(newest[line], minute), min(live_since[line], trade.traded_at)
        fates[i] = fate
        refused += fate != USED
    return refused
