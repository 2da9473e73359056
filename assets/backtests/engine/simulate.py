"""The loop over bars and symbols that share one account."""

import numpy as np

from assets.backtests.engine.arrays import Desk, Market, Trading, bare, bare_market
from assets.backtests.engine.compiling import compiled, inlined
from assets.backtests.engine.decide import decide
from assets.backtests.engine.direction import direction
from assets.backtests.engine.fill import record, worth
from assets.backtests.engine.layout import (
    ACCOUNT,
    BOOK,
    CASH,
    ENTRY,
    EXTREME,
    FILLED,
    FUNDING,
    LARGEST,
    MARK,
    NEXT_TRAIL,
    ORDER,
    PAID_FUNDING,
    PNL,
    STILL_OPEN,
    STOP,
    TRAIL,
    UNITS,
)
from assets.backtests.engine.path import enter, is_market, walk
from assets.backtests.engine.quiet import better, pass_by, quiet_range, quiet_until
from realtime.kernels.kernel import Floats

AHEAD = 1024
"""Bars that one symbol looks ahead before the next does."""


@inlined
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


@inlined
def start(books: Floats, account: Floats, capital: float) -> None:
    """Make rows of an account that holds nothing but capital."""
    books[:, :] = 0.0
    account[:] = 0.0
    books[:, STOP : TRAIL + 2] = books[:, ORDER : NEXT_TRAIL + 1] = np.nan
    account[CASH] = capital


@inlined
def meet(
    t: int, scenario: int, bars: Floats, funding: Floats, books: Floats, account: Floats, terms: Floats, trades: Floats
) -> None:
    """Let one bar meet the orders: market orders at its open, the others on its way."""
    begin(t, bars, funding, books, account, terms, trades)
    for s in range(books.shape[0]):
        if not np.isnan(bars[s, 0, t]) and (books[s, UNITS] != 0.0 or not np.isnan(books[s, ORDER])):
            floor, roof = quiet_range(s, books, terms)
            if bars[s, 2, t] > floor and bars[s, 1, t] < roof:
                books[s, EXTREME] = better(books[s, UNITS], books[s, EXTREME], bars[s, 1, t], bars[s, 2, t])
            else:
                bar = (bars[s, 0, t], bars[s, 1, t], bars[s, 2, t], bars[s, 3, t], bars[s, 4, t])
                way = direction(s, t, scenario, bar, books, account, terms, trades)
                walk(s, t, way, bar, books, account, terms, trades)


@inlined
def mark(t: int, bars: Floats, books: Floats) -> float:
    """Mark positions to a bar's closes; return their gross exposure."""
    gross = 0.0
    for s in range(books.shape[0]):
        if not np.isnan(bars[s, 3, t]):
            books[s, MARK] = bars[s, 3, t]
        gross += abs(books[s, UNITS]) * books[s, MARK]
    return gross


@inlined
def advance(
    market: Market,
    intents: Floats,
    shift: int,
    first: int,
    last: int,
    trading: Trading,
    scenario: int,
    desk: Desk,
    equity: Floats,
    exposure: Floats,
) -> None:
    """Go through bars `first` up to `last`; the intents of bar t are at `t - shift`, equity goes to `t - first`.

    Exposure goes there too, unless its array is empty.
    """
    bars, funding, volatility, terms = market
    books, account, trades = desk
    symbols, t = books.shape[0], first
    while t < last:
        busy = min(last, t + AHEAD)
        for s in range(symbols):
            floor, roof = quiet_range(s, books, terms)
            busy = quiet_until(s, bars, intents, shift, funding, books[s, UNITS], floor, roof, t, busy)
        pass_by(bars, t, busy, books, account, t - first, equity, exposure)
        t = busy
        if t < last:
            meet(t, scenario, bars, funding, books, account, terms, trades)
            gross = mark(t, bars, books)
            equity[t - first] = worth(books, account)
            if exposure.shape[0] > 0:
                exposure[t - first] = gross
            for s in range(symbols):
                if not np.isnan(bars[s, 3, t]):
                    intent = intents[s, :, t - shift]
                    decide(s, intent, trading.sizing, trading.size, volatility[s, t], books, account, terms)
            t += 1


@inlined
def finish(last: int, books: Floats, account: Floats, trades: Floats) -> None:
    """Write down what is still open after the last bar."""
    for s in range(books.shape[0]):
        if books[s, UNITS] != 0.0:
            books[s, PNL] += books[s, UNITS] * (books[s, MARK] - books[s, ENTRY])
            record(s, last, books[s, MARK], STILL_OPEN, books, account, trades)
            books[s, LARGEST] = 0.0


@compiled
def simulate(
    bars: Floats,
    intents: Floats,
    funding: Floats,
    volatility: Floats,
    terms: Floats,
    first: int,
    capital: float,
    sizing: int,
    size: float,
    scenario: int,
    trades: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Return equity and gross exposure at every close from bar `first` on, and the account at the end.

    Nothing happens where `bars` are NaN; `intents` is (symbols, 6, bars); trades are written to their rows.
    """
    symbols, count = bars.shape[0], bars.shape[2]
    books, account = np.empty((symbols, BOOK)), np.empty(ACCOUNT)
    equity, exposure = np.empty(count - first), np.empty(count - first)
    market, desk = bare_market(Market(bars, funding, volatility, terms)), Desk(bare(books), bare(account), bare(trades))
    trading = Trading(first, capital, sizing, size)
    start(desk.books, desk.account, capital)
    advance(market, bare(intents), 0, first, count, trading, scenario, desk, bare(equity), bare(exposure))
    finish(count - 1, desk.books, desk.account, desk.trades)
    books[0, 0] = 0.0  # numba frees an array after its last use, and a bare one keeps nothing alive
    return equity, exposure, account
