"""Which extreme of a bar came first: a candle does not say, so there are three readings."""

import numpy as np

from assets.backtests.engine.compiling import compiled
from assets.backtests.engine.layout import (
    AMBIGUOUS,
    CASH,
    EXPECTED,
    LIMIT,
    NEXT_STOP,
    NEXT_TAKE,
    NEXT_TRAIL,
    ORDER,
    PESSIMISTIC,
    STOP,
    TAKE,
    TRAIL,
    TRIGGER,
    UNITS,
)
from assets.backtests.engine.path import Bar, walk
from realtime.kernels.kernel import Floats


@compiled
def path_matters(book: Floats, high: float, low: float) -> bool:
    """Return whether two orders may be met in one bar, or one whose level moves with the path."""
    waiting = not np.isnan(book[ORDER])
    if not (np.isnan(book[TRAIL]) and (np.isnan(book[NEXT_TRAIL]) or not waiting)):
        return True
    levels = 0
    for at in (LIMIT, TRIGGER, NEXT_STOP, NEXT_TAKE):
        levels += 1 if waiting and low <= book[at] <= high else 0
    for at in (STOP, TAKE):
        levels += 1 if low <= book[at] <= high else 0
    return levels > 1


@compiled
def worth_after(
    s: int, t: int, first: float, bar: Bar, books: Floats, account: Floats, terms: Floats, trades: Floats
) -> float:
    """Return what the account would be worth after one path through a bar, and leave everything as it was."""
    book, money = books[s].copy(), account.copy()
    walk(s, t, first, bar, books, account, terms, trades)
    worth = float(account[CASH] + books[s, UNITS] * bar[3])
    books[s, :], account[:] = book, money
    return worth


@compiled
def direction(
    s: int, t: int, scenario: int, bar: Bar, books: Floats, account: Floats, terms: Floats, trades: Floats
) -> float:
    """Choose which extreme comes first: the nearer one, or for a bracket the one that leaves less or more."""
    nearer = 1.0 if bar[1] - bar[0] < bar[0] - bar[2] else -1.0
    if not path_matters(books[s], bar[1], bar[2]):
        return nearer
    up = worth_after(s, t, 1.0, bar, books, account, terms, trades)
    down = worth_after(s, t, -1.0, bar, books, account, terms, trades)
    if up == down:
        return nearer
    account[AMBIGUOUS] += 1.0
    if scenario == EXPECTED:
        return nearer
    better = 1.0 if up > down else -1.0
    return -better if scenario == PESSIMISTIC else better
