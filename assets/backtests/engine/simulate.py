"""The loop over bars and symbols that share one account."""

import numpy as np

from assets.backtests.engine.compiling import compiled
from assets.backtests.engine.decide import decide
from assets.backtests.engine.fill import record, worth
from assets.backtests.engine.layout import (
    ACCOUNT,
    AMBIGUOUS,
    BOOK,
    CASH,
    ENTRY,
    EXPECTED,
    FILLED,
    FUNDING,
    LARGEST,
    LIMIT,
    MARK,
    NEXT_STOP,
    NEXT_TAKE,
    NEXT_TRAIL,
    PAID_FUNDING,
    PESSIMISTIC,
    PNL,
    STILL_OPEN,
    STOP,
    TAKE,
    TRAIL,
    TRIGGER,
    UNITS,
    WANTED,
)  # fmt: skip
from assets.backtests.engine.path import enter, is_market, walk
from realtime.kernel import Floats

Bar = tuple[float, float, float, float, float]


@compiled
def path_matters(book: Floats, high: float, low: float) -> bool:
    """Tell whether two orders may be met in one bar, or one whose level moves with the path."""
    waiting = not np.isnan(book[WANTED])
    if not (np.isnan(book[TRAIL]) and (np.isnan(book[NEXT_TRAIL]) or not waiting)):
        return True
    levels = 0
    for at in (LIMIT, TRIGGER, NEXT_STOP, NEXT_TAKE):
        levels += 1 if waiting and low <= book[at] <= high else 0
    for at in (STOP, TAKE):
        levels += 1 if low <= book[at] <= high else 0
    return levels > 1


@compiled
def tried(
    s: int, t: int, first: float, bar: Bar, books: Floats, account: Floats, terms: Floats, trades: Floats
) -> float:
    """Return what the account would be worth after one path through a bar, and leave everything as it was."""
    book, money = books[s].copy(), account.copy()
    walk(s, t, first, bar, books, account, terms, trades)
    value = float(account[CASH] + books[s, UNITS] * bar[3])
    books[s, :], account[:] = book, money
    return value


@compiled
def direction(
    s: int, t: int, scenario: int, bar: Bar, books: Floats, account: Floats, terms: Floats, trades: Floats
) -> float:
    """Choose which extreme comes first: the nearer one, or for a bracket the one that leaves less or more."""
    nearer = 1.0 if bar[1] - bar[0] < bar[0] - bar[2] else -1.0
    if not path_matters(books[s], bar[1], bar[2]):
        return nearer
    up = tried(s, t, 1.0, bar, books, account, terms, trades)
    down = tried(s, t, -1.0, bar, books, account, terms, trades)
    if up == down:
        return nearer
    account[AMBIGUOUS] += 1.0
    if scenario == EXPECTED:
        return nearer
    better = 1.0 if up > down else -1.0
    return -better if scenario == PESSIMISTIC else better


@compiled
def begin(t: int, bars: Floats, funding: Floats, books: Floats, account: Floats, terms: Floats, trades: Floats) -> None:
    """Open a bar: prices, funding, and market orders; those that free money go before those that need it."""
    for s in range(books.shape[0]):
        opened = bars[s, 0, t]
        if not np.isnan(opened):
            books[s, FILLED], books[s, MARK] = 0.0, opened
            if books[s, UNITS] != 0.0 and funding[s, t] != 0.0:
                paid = books[s, UNITS] * opened * funding[s, t]
                account[CASH] -= paid
                account[PAID_FUNDING] += paid
                books[s, FUNDING] += paid
    for opening in (False, True):
        for s in range(books.shape[0]):
            if not np.isnan(bars[s, 0, t]) and is_market(books[s]) and (books[s, UNITS] == 0.0) == opening:
                enter(s, t, bars[s, 0, t], False, bars[s, 4, t], books, account, terms, trades)


@compiled
def simulate(
    bars: Floats, intents: Floats, funding: Floats, volatility: Floats, terms: Floats, first: int, capital: float,
    sizing: int, size: float, scenario: int, trades: Floats,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Return equity and gross exposure at every close from bar `first` on, and the account at the end.

    `bars` is (symbols, 5, bars): open high low close volume, NaN where there is none, and nothing happens there;
    `intents` is (symbols, 6, bars), `funding` and `volatility` (symbols, bars); trades are written to their rows.
    """
    symbols, count = bars.shape[0], bars.shape[2]
    books, account = np.zeros((symbols, BOOK)), np.zeros(ACCOUNT)
    books[:, STOP : TRAIL + 2] = books[:, WANTED : NEXT_TRAIL + 1] = np.nan
    account[CASH] = capital
    equity, exposure = np.empty(count - first), np.empty(count - first)
    for t in range(first, count):
        begin(t, bars, funding, books, account, terms, trades)
        for s in range(symbols):
            if not np.isnan(bars[s, 0, t]) and (books[s, UNITS] != 0.0 or not np.isnan(books[s, WANTED])):
                bar = (bars[s, 0, t], bars[s, 1, t], bars[s, 2, t], bars[s, 3, t], bars[s, 4, t])
                way = direction(s, t, scenario, bar, books, account, terms, trades)
                walk(s, t, way, bar, books, account, terms, trades)
        gross = 0.0
        for s in range(symbols):
            if not np.isnan(bars[s, 3, t]):
                books[s, MARK] = bars[s, 3, t]
            gross += abs(books[s, UNITS]) * books[s, MARK]
        equity[t - first] = worth(books, account)
        exposure[t - first] = gross
        for s in range(symbols):
            if not np.isnan(bars[s, 3, t]):
                decide(s, intents[s, :, t], sizing, size, volatility[s, t], books, account, terms)
    for s in range(symbols):
        if books[s, UNITS] != 0.0:
            books[s, PNL] += books[s, UNITS] * (books[s, MARK] - books[s, ENTRY])
            record(s, count - 1, books[s, MARK], STILL_OPEN, books, account, trades)
            books[s, LARGEST] = 0.0
    return equity, exposure, account
