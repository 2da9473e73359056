"""From what a strategy wants to a waiting order: position size, and what replaces what."""

import numpy as np

from assets.backtests.engine.compiling import inlined
from assets.backtests.engine.fill import in_lots, worth
from assets.backtests.engine.layout import (
    FRACTION,
    LEVERAGE,
    LIMIT,
    LOT,
    MARK,
    NEXT_STOP,
    NEXT_TAKE,
    NEXT_TRAIL,
    ORDER,
    REJECTED,
    RISK,
    SHORT,
    STOP,
    TAKE,
    TRAIL,
    TRIGGER,
    UNITS,
)
from realtime.kernels.kernel import Floats


@inlined
def sized(
    s: int,
    target: float,
    stop: float,
    trail: float,
    sizing: int,
    size: float,
    volatility: float,
    books: Floats,
    account: Floats,
    terms: Floats,
) -> float:
    """Return signed units for a target, by equity and price at this close; NaN where the size has no measure."""
    equity, price = worth(books, account), books[s, MARK]
    notional = size * equity
    if sizing == RISK:
        distance = abs(price - stop) if not np.isnan(stop) else trail
        notional = size * equity * price / distance if distance > 0.0 else np.nan
    elif sizing != FRACTION:
        notional = size / volatility * equity if volatility > 0.0 else np.nan
    if np.isnan(notional):
        return np.nan
    notional = min(notional, terms[s, LEVERAGE] * equity) * abs(target)
    units = in_lots(max(0.0, notional) / price, terms[s, LOT])
    return units if target > 0.0 else -units


@inlined
def protect(book: Floats, at: int, stop: float, take: float, trail: float) -> None:
    """Replace protective orders, those of the position (STOP) or of the waiting order (NEXT_STOP), by what is given."""
    if not np.isnan(stop):
        book[at] = stop
    if not np.isnan(take):
        book[at + TAKE - STOP] = take
    if not np.isnan(trail):
        book[at + TRAIL - STOP] = trail


@inlined
def decide(
    s: int,
    intent: Floats,
    sizing: int,
    size: float,
    volatility: float,
    books: Floats,
    account: Floats,
    terms: Floats,
) -> None:
    """Take a strategy's answer at a close: the order it makes is met from the next bar's open on."""
    book = books[s]
    target, limit, trigger = intent[0], intent[1], intent[2]
    stop, take, trail = intent[3], intent[4], intent[5]
    if np.isnan(target):
        if book[UNITS] != 0.0:
            protect(book, STOP, stop, take, trail)
        elif not np.isnan(book[ORDER]):
            protect(book, NEXT_STOP, stop, take, trail)
        return
    if terms[s, SHORT] == 0.0 and target < 0.0:
        target = 0.0
    book[ORDER] = np.nan
    if target * book[UNITS] > 0.0:  # already there: no trading for the sake of a rounder size
        protect(book, STOP, stop, take, trail)
        return
    if target == 0.0:
        if book[UNITS] != 0.0:
            book[ORDER], book[LIMIT], book[TRIGGER] = 0.0, limit, trigger
            book[NEXT_STOP], book[NEXT_TAKE], book[NEXT_TRAIL] = book[STOP], book[TAKE], book[TRAIL]
        return
    units = sized(s, target, stop, trail, sizing, size, volatility, books, account, terms)
    if np.isnan(units) or units == 0.0:
        account[REJECTED] += 1.0
        if book[UNITS] != 0.0:
            book[ORDER], book[LIMIT], book[TRIGGER] = 0.0, np.nan, np.nan
        return
    book[ORDER], book[LIMIT], book[TRIGGER] = units, limit, trigger
    book[NEXT_STOP], book[NEXT_TAKE], book[NEXT_TRAIL] = stop, take, trail
