"""Bars in which nothing happens, recognised many at a time: most bars of most backtests.

A bar is quiet for a symbol while its prices stay between those that would meet an order, no funding is due and the
strategy says nothing. Only prices change in it.
"""

import numpy as np

from assets.backtests.engine.compiling import inlined
from assets.backtests.engine.layout import CASH, EXTREME, LEVERAGE, MAINTENANCE, MARK, ORDER, STOP, TAKE, TRAIL, UNITS
from assets.backtests.engine.path import liquidation_price
from realtime.kernels.kernel import WHOLE, Floats

BLOCK = 16
"""Bars that are looked at together: without a way out between them the processor takes several at a time."""


@inlined
def quiet_range(s: int, books: Floats, terms: Floats) -> tuple[float, float]:
    """Return two prices: in a bar that lies between them nothing happens to a symbol. (inf, -inf) if anything may."""
    units = books[s, UNITS]
    if not np.isnan(books[s, ORDER]) or (units != 0.0 and not np.isnan(books[s, TRAIL])):
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
def quiet_until(
    s: int,
    bars: Floats,
    intents: Floats,
    shift: int,
    funding: Floats,
    units: float,
    floor: float,
    roof: float,
    first: int,
    last: int,
) -> int:
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
