"""Closing minutes and revising closed ones, for many lines in one call.

Each function appends the series it gave a new candle to `changes` (series, slot, bar) and returns how many there are.
"""

from typing import Any

import numpy as np

from infra.clock import MINUTE
from realtime.candles.from_candles import LENGTHS, LEVELS, differs, repeat_close, sum_children, sum_members
from realtime.candles.from_trades import BACKFILLED, COMPLETE, DEPTH, GAP, HEALED, Cells, Ints, clear
from realtime.candles.grid import LAG, Grid
from realtime.candles.int128 import FLOAT_POWERS
from realtime.kernels.kernel import RING, compiled

REVISABLE = DEPTH - 8
"""Closed minutes that may be revised: the other slots of the ring are for minutes still open, and for the older parts
of a longer candle."""
BACK = LAG
"""Bars back from the last closed one among which a revised candle is looked for."""


@compiled
def write_bar(grid: Grid, series: int, bar: int, cell: Any) -> None:
    """Write a candle into the ring that indicators read, as float64."""
    i, by_price = bar & (RING - 1), FLOAT_POWERS[cell.price_scale]
    grid.opened_at[series, i] = np.float64(cell.opened_at)
    grid.open[series, i] = cell.open / by_price
    grid.high[series, i] = cell.high / by_price
    grid.low[series, i] = cell.low / by_price
    grid.close[series, i] = cell.close / by_price
    grid.volume[series, i] = cell.volume / FLOAT_POWERS[cell.quantity_scale]


@compiled
def judge(cell: Any) -> None:
    """Say what is known of the trades of an exchange's minute."""
    if cell.gaps > 0:
        cell.quality = GAP
    elif cell.quality != BACKFILLED or cell.healed:
        cell.quality = HEALED if cell.healed else COMPLETE


@compiled
def own_minute(grid: Grid, spare: Cells, line: int, minute: int) -> bool:
    """Put an exchange's minute, as its trades have made it, into the sum; False if it has no price."""
    series, slot = line * LEVELS, minute & (DEPTH - 1)
    judge(grid.cells[series, slot])
    spare[0] = grid.cells[series, slot]
    return spare[0].volume > 0 or repeat_close(spare, grid.cells, series, minute)


@compiled
def end_minute(grid: Grid, line: int, minute: int) -> None:
    """Make sure that a minute has its cell; a line seen only after the minute began knows it in part."""
    cell = grid.cells[line * LEVELS, minute & (DEPTH - 1)]
    if cell.opened_at != minute * MINUTE:
        clear(cell, minute * MINUTE)
    if grid.live_since[line] > minute * MINUTE:
        cell.gaps += 1


@compiled
def sum_minute(grid: Grid, spare: Cells, line: int, minute: int, ends: bool) -> bool:
    """Put a minute of an exchange or a composite into the sum; False if it has no price. `ends`: it closes now."""
    if grid.members[line, 0] >= 0:
        return sum_members(spare, grid.cells, grid.members, grid.first, grid.upcoming, line, minute, False)
    if ends:
        end_minute(grid, line, minute)
    return own_minute(grid, spare, line, minute)


@compiled
def store(grid: Grid, spare: Cells, series: int, slot: int, known_at: int, revision: int) -> None:
    """Put the sum into its place; what gaps are open stays with the place."""
    cell = grid.cells[series, slot]
    gaps, healed, here = cell.gaps, cell.healed, cell.opened_at == spare[0].opened_at
    grid.cells[series, slot] = spare[0]
    cell.gaps, cell.healed = (gaps, healed) if here else (0, 0)
    cell.known_at, cell.revision = known_at, revision


@compiled
def close_minute(grid: Grid, lines: Ints, minute: int, known_at: int, spare: Cells, changes: Ints) -> int:
    """Close one minute of lines, and the longer candles that end with it."""
    n = 0
    for line in lines:
        grid.upcoming[line] = minute + 1
        grid.newest[line] = max(grid.newest[line], minute)
        for level in range(LEVELS):
            series, length = line * LEVELS + level, LENGTHS[level]
            if (minute + 1) % length:
                break
            opened = minute + 1 - length
            if level:
                exists = sum_children(spare, grid.cells, series, level, opened, minute + 1, minute + 1)
            else:
                exists = sum_minute(grid, spare, line, minute, True)
            if not exists:
                break
            slot, bar = (opened // length) & (DEPTH - 1), grid.closed[series]
            store(grid, spare, series, slot, known_at, 0)
            write_bar(grid, series, bar, grid.cells[series, slot])
            grid.closed[series] = bar + 1
            changes[n, 0], changes[n, 1], changes[n, 2] = series, slot, bar
            n += 1
        grid.touched[line] &= ~(np.uint32(1) << np.uint32(minute & (DEPTH - 1)))
    return n


@compiled
def bar_of(grid: Grid, series: int, opened_at: int) -> int:
    """Return the number of a closed bar, -1 if it is not among the last ones."""
    count = grid.closed[series]
    for bar in range(count - 1, max(count - 1 - BACK, -1), -1):
        if grid.opened_at[series, bar & (RING - 1)] == np.float64(opened_at):
            return bar
    return -1


@compiled
def revise(grid: Grid, spare: Cells, series: int, level: int, opened: int, known_at: int, changes: Ints, n: int) -> int:
    """Put the sum in the place of a closed candle as its next revision; return n + 1, or n if it is not kept."""
    length = LENGTHS[level]
    bar, slot = bar_of(grid, series, opened * MINUTE), (opened // length) & (DEPTH - 1)
    if bar < grid.settled[series]:
        return n
    store(grid, spare, series, slot, known_at, grid.cells[series, slot].revision + 1)
    write_bar(grid, series, bar, grid.cells[series, slot])
    changes[n, 0], changes[n, 1], changes[n, 2] = series, slot, bar
    return n + 1


@compiled
def revise_minutes(grid: Grid, line: int, marks: int, known_at: int, spare: Cells, changes: Ints) -> tuple[int, int]:
    """Recompute closed minutes of a line (bits of `marks` by slot); return how many changed, and the oldest or -1.

    A minute without trades follows a changed close before it. What comes out as it was gets no revision.
    """
    n, end, oldest, series, chained = 0, grid.upcoming[line], -1, line * LEVELS, False
    composite = grid.members[line, 0] >= 0
    for minute in range(end - REVISABLE, end):
        slot = minute & (DEPTH - 1)
        marked = (marks >> slot) & 1 == 1
        cell = grid.cells[series, slot]
        if cell.opened_at != minute * MINUTE or not (marked or (chained and cell.volume == 0)):
            chained = False
            continue
        exists = sum_minute(grid, spare, line, minute, False)
        chained = exists and ((marked and not composite) or differs(spare, grid.cells, series, slot))
        if chained:
            oldest = minute if oldest < 0 else oldest
            n = revise(grid, spare, series, 0, minute, known_at, changes, n)
    return n, oldest


@compiled
def revise_line(grid: Grid, line: int, marks: int, known_at: int, spare: Cells, changes: Ints) -> int:
    """Recompute closed minutes of a line (bits of `marks` by slot) and the longer closed candles around them."""
    n, oldest = revise_minutes(grid, line, marks, known_at, spare, changes)
    if oldest < 0:
        return n
    end = grid.upcoming[line]
    for level in range(1, LEVELS):
        series, length = line * LEVELS + level, LENGTHS[level]
        for opened in range(oldest // length * length, end - length + 1, length):
            exists = sum_children(spare, grid.cells, series, level, opened, opened + length, opened + length)
            if exists and differs(spare, grid.cells, series, (opened // length) & (DEPTH - 1)):
                n = revise(grid, spare, series, level, opened, known_at, changes, n)
    return n


@compiled
def waiting(grid: Grid, lines: Ints, paused: Ints, minute: int, stale: Ints, forced: bool, out: Ints) -> int:
    """List the composite lines that may close a minute: all members have, are `stale` (per line), or it is `forced`.

    A member that waits for its history (`paused`) makes the composite wait too.
    """
    n = 0
    for line in lines:
        if grid.upcoming[line] != minute:
            continue
        ready = True
        for k in range(grid.members.shape[1]):
            member = grid.members[line, k]
            if member < 0:
                break
            ready &= forced or grid.upcoming[member] > minute or stale[member] != 0
            ready &= paused[member] == 0
        if ready:
            out[n] = line
            n += 1
    return n


@compiled
def changed_minutes(grid: Grid, lines: Ints, masks: Ints) -> int:
    """Give each line the bits of its closed minutes that took trades since, and forget them; return how many lines."""
    n = 0
    for k in range(lines.shape[0]):
        line = lines[k]
        masks[k] = 0
        if grid.touched[line]:
            closed = np.uint32(0)
            end = grid.upcoming[line]
            for minute in range(end - REVISABLE, end):
                closed |= np.uint32(1) << np.uint32(minute & (DEPTH - 1))
            mask = grid.touched[line] & closed
            grid.touched[line] &= ~closed
            masks[k] = np.int64(mask)
            n += mask != 0
    return n


@compiled
def complete_parents(grid: Grid, line: int, spare: Cells, changes: Ints) -> int:
    """Make the longer candles that have ended since the last one that history gave, from their parts."""
    n = 0
    for level in range(1, LEVELS):
        series, length = line * LEVELS + level, LENGTHS[level]
        count = grid.closed[series]
        if count == 0:
            continue
        opened = np.int64(grid.opened_at[series, (count - 1) & (RING - 1)]) // MINUTE + length
        while opened + length <= grid.upcoming[line] and n < changes.shape[0]:
            if sum_children(spare, grid.cells, series, level, opened, opened + length, opened + length):
                slot = (opened // length) & (DEPTH - 1)
                store(grid, spare, series, slot, (opened + length) * MINUTE, 0)
                write_bar(grid, series, grid.closed[series], grid.cells[series, slot])
                changes[n, 0], changes[n, 1], changes[n, 2] = series, slot, grid.closed[series]
                grid.closed[series] += 1
                n += 1
            opened += length
    return n


@compiled
def append_history(grid: Grid, rows: Cells, series: int, level: int) -> None:
    """Append an exchange's own closed candles (CELL rows) to a series; newer cells of live trades stay."""
    length = LENGTHS[level]
    for i in range(rows.shape[0]):
        opened = rows[i].opened_at // MINUTE
        slot = (opened // length) & (DEPTH - 1)
        write_bar(grid, series, grid.closed[series], rows[i])
        grid.closed[series] += 1
        if grid.cells[series, slot].opened_at <= rows[i].opened_at:
            grid.cells[series, slot] = rows[i]
