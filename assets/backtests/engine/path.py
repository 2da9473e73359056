"""What happens while the price walks through a bar: orders are met in the order in which the path reaches them.

A limit order fills when the price goes through it, not when it is touched; a stop order fills at its level, or at the
open that lies beyond it. A direction `d` is 1 upwards and -1 downwards.
"""

import numpy as np

from assets.backtests.engine.compiling import compiled, inlined
from assets.backtests.engine.fill import clear, fill, record
from assets.backtests.engine.layout import (
    CASH,
    ENTRY,
    EXTREME,
    LEVERAGE,
    LIMIT,
    LIQUIDATED,
    LIQUIDATION_EXIT,
    MAINTENANCE,
    NEXT_STOP,
    NEXT_TAKE,
    NEXT_TRAIL,
    ORDER,
    PNL,
    STOP,
    STOP_EXIT,
    TAKE,
    TAKE_EXIT,
    TARGET_EXIT,
    TRAIL,
    TRAIL_EXIT,
    TRIGGER,
    TURNOVER,
    UNITS,
)
from realtime.kernels.kernel import Floats

Bar = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""
NOTHING, ENTER_AT_LIMIT, ENTER_AT_TRIGGER, AT_STOP, AT_TAKE, AT_TRAIL, LIQUIDATION = range(7)
MOST_EVENTS = 12


@inlined
def liquidation_price(book: Floats, leverage: float, maintenance: float) -> float:
    """Return where the isolated margin of a position falls to its maintenance; 0 where it cannot."""
    if book[UNITS] > 0.0:
        return float(book[ENTRY] * (1.0 - 1.0 / leverage) / (1.0 - maintenance))
    return float(book[ENTRY] * (1.0 + 1.0 / leverage) / (1.0 + maintenance))


@inlined
def liquidation_level(book: Floats, terms: Floats) -> float:
    """Return the price at which a position is liquidated, NaN where it cannot be."""
    level = liquidation_price(book, terms[LEVERAGE], terms[MAINTENANCE])
    return level if level > 0.0 else np.nan


@inlined
def reaches(end: float, level: float, d: float, strict: bool) -> bool:
    """Return whether a move in direction `d` comes to a level, or beyond it: an order only touched may be too late."""
    return d * level < d * end if strict else d * level <= d * end


@inlined
def comes_first(event: int, distance: float, nearest: float) -> bool:
    """Return whether an event comes before those listed earlier; of two at one place a liquidation does."""
    return distance < nearest or (event == LIQUIDATION and distance <= nearest)


@compiled
def next_event(book: Floats, terms: Floats, price: float, end: float, d: float) -> tuple[int, float]:
    """Return the first order that a straight move from `price` to `end` meets, and where."""
    first, nearest = NOTHING, np.inf
    units, order = book[UNITS], book[ORDER]
    for event in range(ENTER_AT_LIMIT, LIQUIDATION + 1):
        level, strict = np.nan, False
        if event == ENTER_AT_LIMIT and (order - units) * d < 0.0:
            level, strict = book[LIMIT], True
        elif event == ENTER_AT_TRIGGER and (order - units) * d > 0.0:
            level = book[TRIGGER]
        elif event == AT_TAKE and units * d > 0.0:
            level, strict = book[TAKE], True
        elif units * d < 0.0:
            if event == AT_STOP:
                level = book[STOP]
            elif event == AT_TRAIL:
                level = book[EXTREME] + d * book[TRAIL]
            elif event == LIQUIDATION:
                level = liquidation_level(book, terms)
        distance = max(0.0, d * (level - price))
        if reaches(end, level, d, strict) and comes_first(event, distance, nearest):
            first, nearest = event, distance
    return first, price + d * nearest


@compiled
def liquidate(s: int, t: int, books: Floats, account: Floats, terms: Floats, trades: Floats) -> None:
    """Take a position and all its margin away: it is closed where nothing of the margin is left."""
    book = books[s]
    side = 1.0 if book[UNITS] > 0.0 else -1.0
    price = book[ENTRY] * (1.0 - side / terms[s, LEVERAGE])
    account[CASH] += book[UNITS] * price
    account[TURNOVER] += abs(book[UNITS]) * price
    account[LIQUIDATED] += 1.0
    book[PNL] += book[UNITS] * (price - book[ENTRY])
    record(s, t, price, LIQUIDATION_EXIT, books, account, trades)
    clear(book)
    book[ORDER] = np.nan


@inlined
def enter(
    s: int,
    t: int,
    price: float,
    maker: bool,
    volume: float,
    books: Floats,
    account: Floats,
    terms: Floats,
    trades: Floats,
) -> None:
    """Fill the waiting order; its protective orders become the position's."""
    book = books[s]
    if fill(s, t, book[ORDER] - book[UNITS], price, maker, volume, TARGET_EXIT, books, account, terms, trades):
        book[ORDER] = np.nan
    else:
        book[LIMIT] = np.nan if not maker else book[LIMIT]  # the rest of a triggered order goes on at the market
        book[TRIGGER] = np.nan
    if book[UNITS] != 0.0:
        book[STOP], book[TAKE], book[TRAIL] = book[NEXT_STOP], book[NEXT_TAKE], book[NEXT_TRAIL]


@compiled
def leave(
    s: int,
    t: int,
    price: float,
    event: int,
    volume: float,
    books: Floats,
    account: Floats,
    terms: Floats,
    trades: Floats,
) -> None:
    """Close by a protective order, which cancels the waiting one; what the volume does not take goes on at the open."""
    book = books[s]
    reason = STOP_EXIT if event == AT_STOP else (TAKE_EXIT if event == AT_TAKE else TRAIL_EXIT)
    book[ORDER] = np.nan
    if not fill(s, t, -book[UNITS], price, event == AT_TAKE, volume, reason, books, account, terms, trades):
        book[ORDER], book[LIMIT], book[TRIGGER] = 0.0, np.nan, np.nan
        book[STOP] = book[TAKE] = book[TRAIL] = np.nan
        book[NEXT_STOP] = book[NEXT_TAKE] = book[NEXT_TRAIL] = np.nan


@compiled
def move(
    s: int,
    t: int,
    price: float,
    end: float,
    d: float,
    volume: float,
    books: Floats,
    account: Floats,
    terms: Floats,
    trades: Floats,
) -> None:
    """Walk straight from one price to another and meet every order on the way."""
    book = books[s]
    for _ in range(MOST_EVENTS):
        event, at = next_event(book, terms[s], price, end, d)
        if event == NOTHING:
            break
        before = book[UNITS]
        beyond = d * (at - price) <= 0.0  # already past it: a limit order takes what there is
        if event == LIQUIDATION:
            liquidate(s, t, books, account, terms, trades)
        elif event in (ENTER_AT_LIMIT, ENTER_AT_TRIGGER):
            enter(s, t, at, event == ENTER_AT_LIMIT and not beyond, volume, books, account, terms, trades)
        else:
            leave(s, t, at, event, volume, books, account, terms, trades)
        price = at
        if book[UNITS] == before:  # the bar's volume is used up
            break
    if book[UNITS] * d > 0.0 and d * end > d * book[EXTREME]:
        book[EXTREME] = end


@inlined
def is_market(book: Floats) -> bool:
    """Return whether an order waits for the open."""
    return not np.isnan(book[ORDER]) and np.isnan(book[LIMIT]) and np.isnan(book[TRIGGER])


@compiled
def walk(
    s: int,
    t: int,
    first: float,
    bar: Bar,
    books: Floats,
    account: Floats,
    terms: Floats,
    trades: Floats,
) -> None:
    """Walk one bar (open high low close volume): open, the extreme in direction `first`, the other one, close."""
    opened, high, low, close, volume = bar
    for d in (1.0, -1.0):  # what lies beyond the open
        move(s, t, opened, opened, d, volume, books, account, terms, trades)
    near, far = (high, low) if first > 0.0 else (low, high)
    move(s, t, opened, near, first, volume, books, account, terms, trades)
    move(s, t, near, far, -first, volume, books, account, terms, trades)
    move(s, t, far, close, first, volume, books, account, terms, trades)
