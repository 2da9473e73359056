"""Candles to candles: five minutes of five, an hour of four quarters, the composite of the exchanges.

A merge is recomputed from its parts, never patched: the same parts give the same bytes, whatever happened before.
`spare` is an array of two cells: the sum so far, and the part being added.
"""

from typing import Any

import numpy as np

from infra.clock import MINUTE
from realtime.candles.from_trades import (
    BACKFILLED,
    COMPLETE,
    DEPTH,
    GAP,
    HEALED,
    Cells,
    Ints,
    after,
    before,
    clear,
    raise_scales,
    set_first,
    set_last,
)
from realtime.candles.int128 import LARGEST, total
from realtime.kernels.kernel import compiled

LENGTHS = np.array([1, 5, 15, 60, 240, 1440], np.int64)
"""Minutes of each level: the timeframes in their order, each a whole multiple of the one before."""
LEVELS = 6


@compiled
def worse(quality: int, other: int) -> int:
    """Return the quality of two candles together: gap, else healed, else backfilled, else complete."""
    for bad in (GAP, HEALED, BACKFILLED):
        if bad in (quality, other):
            return bad
    return COMPLETE


@compiled
def begin_sum(spare: Cells, opened_at: int) -> None:
    """Start a sum of candles."""
    clear(spare[0], opened_at)


@compiled
def add_part(spare: Cells, cells: Cells, series: int, slot: int) -> None:
    """Add one candle to the sum; amounts that exceed 63 bits leave a gap instead."""
    spare[1] = cells[series, slot]
    sums, part = spare[0], spare[1]
    part.quality = sums.quality = worse(sums.quality, part.quality)
    if part.volume == 0:
        return
    if sums.volume == 0:
        part.opened_at = sums.opened_at
        part.known_at, part.revision, part.gaps, part.healed = 0, 0, 0, 0
        spare[0] = spare[1]
        return
    price_scale = max(sums.price_scale, part.price_scale)
    quantity_scale = max(sums.quantity_scale, part.quantity_scale)
    fits = raise_scales(sums, price_scale, quantity_scale) and raise_scales(part, price_scale, quantity_scale)
    if not fits or part.volume > LARGEST - sums.volume:
        sums.quality = GAP
        return
    sums.high = part.high if part.high > sums.high else sums.high
    sums.low = part.low if part.low < sums.low else sums.low
    sums.volume += part.volume
    sums.taker_buy_volume += part.taker_buy_volume
    sums.quote_high, sums.quote_low = total(sums.quote_high, sums.quote_low, part.quote_high, part.quote_low)
    sums.trade_count += part.trade_count
    high, low = part.first_id_high, part.first_id_low
    if before(part.first_at, part.first_exchange, part.first_sequence, high, low, sums):
        set_first(sums, part.open, part.first_at, part.first_exchange, part.first_sequence, high, low)
    high, low = part.last_id_high, part.last_id_low
    if after(part.last_at, part.last_exchange, part.last_sequence, high, low, sums):
        set_last(sums, part.close, part.last_at, part.last_exchange, part.last_sequence, high, low)


@compiled
def flatten(spare: Cells, close: int, price_scale: int) -> None:
    """Make the sum a candle without trades that repeats the close before it."""
    sums = spare[0]
    sums.open = sums.high = sums.low = sums.close = close
    sums.price_scale, sums.quantity_scale = price_scale, 0


@compiled
def sum_children(spare: Cells, cells: Cells, series: int, level: int, opened: int, until: int, closed: int) -> bool:
    """Sum a series' candle that opens at minute `opened` from the level below, up to minute `until`.

    False if there is no child. A child that is missing although minutes before `closed` are closed makes a gap.
    """
    begin_sum(spare, opened * MINUTE)
    length, any_child, missing = LENGTHS[level - 1], False, False
    close, scale = 0, 0
    for minute in range(opened, min(opened + LENGTHS[level], until), length):
        slot = (minute // length) & (DEPTH - 1)
        child = cells[series - 1, slot]
        if child.opened_at != minute * MINUTE:
            missing |= minute + length <= closed
            continue
        if not any_child:
            close, scale = child.open, child.price_scale
        any_child = True
        add_part(spare, cells, series - 1, slot)
    if any_child and spare[0].volume == 0:
        flatten(spare, close, scale)
    if missing:
        spare[0].quality = GAP
    return any_child


@compiled
def sum_members(
    spare: Cells, cells: Cells, members: Ints, first: Ints, upcoming: Ints, line: int, minute: int, forming: bool
) -> bool:
    """Sum one minute of a composite from its exchanges; one that has not closed the minute, or lost it, makes a gap.

    A forming minute (`forming`) has no gap for that.

    False if there is nothing: no exchange traded and the composite has no close to repeat.
    """
    begin_sum(spare, minute * MINUTE)
    slot, missing = minute & (DEPTH - 1), False
    for k in range(members.shape[1]):
        member = members[line, k]
        if member < 0:
            break
        here = cells[member * LEVELS, slot].opened_at == minute * MINUTE
        if here:
            add_part(spare, cells, member * LEVELS, slot)
        missing |= first[member] <= minute and (upcoming[member] <= minute or not here)
    if spare[0].volume == 0 and not repeat_close(spare, cells, line * LEVELS, minute):
        return False
    if missing and not forming:
        spare[0].quality = GAP
    return True


@compiled
def repeat_close(spare: Cells, cells: Cells, series: int, minute: int) -> bool:
    """Make the sum a no-trade candle after the previous minute's; False if that is not known."""
    previous = cells[series, (minute - 1) & (DEPTH - 1)]
    if previous.opened_at != (minute - 1) * MINUTE:
        return False
    flatten(spare, previous.close, previous.price_scale)
    return True


@compiled
def prices_differ(a: Any, b: Any) -> Any:
    """Whether two candles differ in a price or in what the amounts are counted in."""
    return (
        a.open != b.open
        or a.high != b.high
        or a.low != b.low
        or a.close != b.close
        or a.price_scale != b.price_scale
        or a.quantity_scale != b.quantity_scale
    )


@compiled
def sums_differ(a: Any, b: Any) -> Any:
    """Whether two candles differ in a sum."""
    return (
        a.trade_count != b.trade_count
        or a.volume != b.volume
        or a.taker_buy_volume != b.taker_buy_volume
        or a.quote_high != b.quote_high
        or a.quote_low != b.quote_low
    )


@compiled
def ids_differ(a: Any, b: Any) -> Any:
    """Whether two candles differ in the id of their first or last trade."""
    return (
        a.first_id_low != b.first_id_low
        or a.last_id_low != b.last_id_low
        or a.first_id_high != b.first_id_high
        or a.last_id_high != b.last_id_high
    )


@compiled
def differs(spare: Cells, cells: Cells, series: int, slot: int) -> Any:
    """Whether the sum says anything else than the candle that stands there."""
    a, b = spare[0], cells[series, slot]
    moved = a.opened_at != b.opened_at or a.quality != b.quality
    return moved or sums_differ(a, b) or prices_differ(a, b) or ids_differ(a, b)
