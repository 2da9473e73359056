"""The loop over bars and symbols that share one account."""

import numpy as np

from assets.backtests.engine.compiling import compiled, inlined
from assets.backtests.engine.decide import decide
from assets.backtests.engine.fill import record, worth
from assets.backtests.engine.layout import (
    ACCOUNT,
    AMBIGUOUS,
    BOOK,
    CASH,
    ENTRY,
    EXPECTED,
    EXTREME,
    FILLED,
    FUNDING,
    LARGEST,
    LEVERAGE,
    LIMIT,
    MAINTENANCE,
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
from assets.backtests.engine.path import enter, is_market, liquidation_price, walk
from realtime.kernels.addresses import floats
from realtime.kernels.kernel import WHOLE, Floats

Bar = tuple[float, float, float, float, float]
BLOCK = 16
"""Bars that are looked at together: without a way out between them the processor takes several at a time."""
AHEAD = 1024
"""Bars that one symbol looks ahead before the others are asked."""


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
def bare(array: Floats) -> Floats:
    """Return a C-contiguous array without its owner, whose every view and call would be counted, by all threads."""
    return floats(array.ctypes.data, array.size).reshape(array.shape)


@inlined
def start(books: Floats, account: Floats, capital: float) -> None:
    """Make rows of an account that holds nothing but capital."""
    books[:, :] = 0.0
    account[:] = 0.0
    books[:, STOP : TRAIL + 2] = books[:, WANTED : NEXT_TRAIL + 1] = np.nan
    account[CASH] = capital


@inlined
def quiet_range(s: int, books: Floats, terms: Floats) -> tuple[float, float]:
    """Return two prices: in a bar that lies between them nothing happens to a symbol. (inf, -inf) if anything may."""
    units = books[s, UNITS]
    if not np.isnan(books[s, WANTED]) or (units != 0.0 and not np.isnan(books[s, TRAIL])):
        return np.inf, -np.inf
    floor, roof = -np.inf, np.inf
    if units != 0.0:
        below, above = (STOP, TAKE) if units > 0.0 else (TAKE, STOP)
        floor = books[s, below] if books[s, below] > floor else floor
        roof = books[s, above] if books[s, above] < roof else roof
        liquidation = liquidation_price(books[s], terms[s, LEVERAGE], terms[s, MAINTENANCE])
        if liquidation > 0.0:
            floor = max(floor, liquidation) if units > 0.0 else floor
            roof = min(roof, liquidation) if units < 0.0 else roof
    return floor, roof


@inlined
def better(units: float, best: float, high: float, low: float) -> float:
    """Return the best price since the entry; a trailing stop that comes later starts from it."""
    if units > 0.0 and high > best:
        return high
    return low if units < 0.0 and low < best else best


@inlined
def meet(
    t: int, scenario: int, bars: Floats, funding: Floats, books: Floats, account: Floats, terms: Floats, trades: Floats
) -> None:
    """Let one bar meet the orders."""
    begin(t, bars, funding, books, account, terms, trades)
    for s in range(books.shape[0]):
        if not np.isnan(bars[s, 0, t]) and (books[s, UNITS] != 0.0 or not np.isnan(books[s, WANTED])):
            floor, roof = quiet_range(s, books, terms)
            if bars[s, 2, t] > floor and bars[s, 1, t] < roof:
                books[s, EXTREME] = better(books[s, UNITS], books[s, EXTREME], bars[s, 1, t], bars[s, 2, t])
            else:
                bar = (bars[s, 0, t], bars[s, 1, t], bars[s, 2, t], bars[s, 3, t], bars[s, 4, t])
                way = direction(s, t, scenario, bar, books, account, terms, trades)
                walk(s, t, way, bar, books, account, terms, trades)


@inlined
def quiet_until(
    s: int, bars: Floats, intents: Floats, shift: int, funding: Floats, units: float, floor: float, roof: float,
    first: int, last: int,
) -> int:  # fmt: skip
    """Return the first bar, or `last`, that may meet an order of a symbol, or has funding, or a strategy's answer."""
    for block in range(first, last, BLOCK):
        end = min(block + BLOCK, last)
        hits = 0
        for n in range(end - block):
            t, at = (block + n) & WHOLE, (block - shift + n) & WHOLE
            hits += int(bars[s, 2, t] <= floor) + int(bars[s, 1, t] >= roof) + int(funding[s, t] * units != 0.0)
            hits += int(not np.isnan(intents[s, 0, at])) + int(not np.isnan(intents[s, 1, at]))
            hits += int(not np.isnan(intents[s, 2, at])) + int(not np.isnan(intents[s, 3, at]))
            hits += int(not np.isnan(intents[s, 4, at])) + int(not np.isnan(intents[s, 5, at]))
        if hits > 0:
            for n in range(end - block):
                t, at = (block + n) & WHOLE, (block - shift + n) & WHOLE
                if bars[s, 2, t] <= floor or bars[s, 1, t] >= roof or funding[s, t] * units != 0.0:
                    return t
                for k in range(6):
                    if not np.isnan(intents[s, k, at]):
                        return t
    return last


@inlined
def pass_by(
    bars: Floats, first: int, last: int, books: Floats, account: Floats, at: int, equity: Floats, exposure: Floats
) -> None:
    """Let bars pass in which nothing happens: only prices change."""
    cash, gross = account[CASH], exposure.shape[0] > 0
    for n in range(last - first):
        equity[(at + n) & WHOLE] = cash
    if gross:
        for n in range(last - first):
            exposure[(at + n) & WHOLE] = 0.0
    for s in range(books.shape[0]):
        units, mark, best = books[s, UNITS], books[s, MARK], books[s, EXTREME]
        if units == 0.0:
            for n in range(last - first):
                close = bars[s, 3, (first + n) & WHOLE]
                mark = mark if np.isnan(close) else close
        else:
            for n in range(last - first):
                t = (first + n) & WHOLE
                close = bars[s, 3, t]
                mark = mark if np.isnan(close) else close
                value = units * mark
                equity[(at + n) & WHOLE] += value
                if gross:
                    exposure[(at + n) & WHOLE] += abs(value)
                best = better(units, best, bars[s, 1, t], bars[s, 2, t])
        books[s, MARK], books[s, EXTREME] = mark, best


@inlined
def advance(
    bars: Floats, intents: Floats, shift: int, funding: Floats, volatility: Floats, terms: Floats,
    first: int, last: int, sizing: int, size: float, scenario: int,
    books: Floats, account: Floats, trades: Floats, equity: Floats, exposure: Floats,
) -> None:  # fmt: skip
    """Go through bars `first` up to `last`; what was wanted at bar t is at `t - shift`, equity goes to `t - first`.

    Exposure goes there too, unless its array is empty.
    """
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
            gross = 0.0
            for s in range(symbols):
                if not np.isnan(bars[s, 3, t]):
                    books[s, MARK] = bars[s, 3, t]
                gross += abs(books[s, UNITS]) * books[s, MARK]
            equity[t - first] = worth(books, account)
            if exposure.shape[0] > 0:
                exposure[t - first] = gross
            for s in range(symbols):
                if not np.isnan(bars[s, 3, t]):
                    decide(s, intents[s, :, t - shift], sizing, size, volatility[s, t], books, account, terms)
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
    bars: Floats, intents: Floats, funding: Floats, volatility: Floats, terms: Floats, first: int, capital: float,
    sizing: int, size: float, scenario: int, trades: Floats,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Return equity and gross exposure at every close from bar `first` on, and the account at the end.

    `bars` is (symbols, 5, bars): open high low close volume, NaN where there is none, and nothing happens there;
    `intents` is (symbols, 6, bars), `funding` and `volatility` (symbols, bars); trades are written to their rows.
    """
    symbols, count = bars.shape[0], bars.shape[2]
    books, account = np.empty((symbols, BOOK)), np.empty(ACCOUNT)
    equity, exposure = np.empty(count - first), np.empty(count - first)
    held, money = bare(books), bare(account)
    start(held, money, capital)
    advance(
        bare(bars), bare(intents), 0, bare(funding), bare(volatility), bare(terms), first, count, sizing, size,
        scenario, held, money, bare(trades), bare(equity), bare(exposure),
    )  # fmt: skip
    finish(count - 1, held, money, bare(trades))
    books[0, 0] = 0.0  # numba frees an array after its last use, and a bare one keeps nothing alive
    return equity, exposure, account
