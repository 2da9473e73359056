"""Many parameter sets of one strategy over one history: each lane folds its strategy and trades, a chunk at a time.

A chunk's intents stay in the nearest cache. Lanes share nothing that is written, so threads may take blocks of them.
"""

import numpy as np
import numpy.typing as npt

from assets.backtests.engine.compiling import compiled, inlined
from assets.backtests.engine.layout import BOOK, EXPECTED, TRADE_COLUMNS
from assets.backtests.engine.simulate import advance, bare, finish, start
from realtime.kernels.addresses import call
from realtime.kernels.every_series import FRAME, MOST
from realtime.kernels.kernel import WHOLE, Floats

Ints = npt.NDArray[np.int64]
CHUNK = 256
"""Bars whose intents (12 KB a symbol) are made and traded before the next ones."""
INTENTS = 6


@inlined
def fold_chunk(
    address: int, arguments: int, columns: Floats, known: Ints, first: int, last: int,
    states: Floats, frame: Ints, scratch: Floats, intents: Floats,
) -> None:  # fmt: skip
    """Fold what exists of bars `first` up to `last` through a strategy; intents are put on the grid, NaN in gaps.

    `columns` is (symbols, 6, bars that exist), `known[s, t]` how many bars of a symbol exist before bar t.
    """
    width = columns.shape[2]
    for s in range(columns.shape[0]):
        before, after = known[s, first], known[s, last]
        frame[0] = states.ctypes.data + 8 * s * states.shape[1]
        for k in range(6):
            frame[1 + k] = columns.ctypes.data + 8 * (6 * s + k) * width
        frame[7], frame[8], frame[9], frame[10] = width, WHOLE, before, after
        frame[11], frame[12] = intents.ctypes.data + 8 * s * INTENTS * CHUNK, CHUNK
        frame[13], frame[14] = 1, scratch.ctypes.data
        call(address, frame.ctypes.data, 0, 0, arguments)
        if after - before < last - first:
            spread(known[s], first, last, intents[s])


@inlined
def spread(known: Ints, first: int, last: int, intents: Floats) -> None:
    """Move what is packed at the beginning to its bars, the last one first."""
    for t in range(last - 1, first - 1, -1):
        at, there = known[t] - known[first], known[t + 1] > known[t]
        for k in range(INTENTS):
            intents[k, t - first] = intents[k, at] if there else np.nan


@inlined
def deepest(equity: Floats, count: int, peak: float, worst: float) -> tuple[float, float]:
    """Return the highest equity so far and the largest drawdown; it divides only where a larger one may be."""
    bound = (1.0 - worst) * (1.0 + 1e-12)
    for t in range(count):
        value = equity[t & WHOLE]
        if value > peak:
            peak = value
        elif value < peak * bound:
            depth = 1.0 - value / peak
            if depth > worst:
                worst = depth
                bound = (1.0 - worst) * (1.0 + 1e-12)
    return peak, worst


@compiled
def run_lanes(
    address: int, arguments: Floats, initial: Floats, columns: Floats, known: Ints,
    bars: Floats, funding: Floats, volatility: Floats, terms: Floats, first: int, capital: float,
    sizing: int, size: float, ends: Ints, begin: int, end: int, equity: Floats, worst: Floats, accounts: Floats,
) -> None:  # fmt: skip
    """Run lanes `begin` up to `end`: arguments and initial states are rows of lanes.

    Written are the equity (lanes, ends) at the bars `ends`, counted from `first`, which increase; the largest
    drawdown, marked to market at every bar, and the account at the end.
    """
    symbols, count, width = bars.shape[0], bars.shape[2], initial.shape[1]
    kept = (
        np.empty((symbols, BOOK)), np.empty((symbols, width)), np.empty((symbols, INTENTS, CHUNK)), np.empty(width + 1),
        np.empty(CHUNK), np.empty(1), np.empty((1, len(TRADE_COLUMNS))),
    )  # fmt: skip
    books, states, intents, scratch = bare(kept[0]), bare(kept[1]), bare(kept[2]), bare(kept[3])
    marked, exposure, trades = bare(kept[4]), bare(kept[5])[:0], bare(kept[6])[:0]
    frame = np.empty(FRAME, np.int64)
    arguments, initial, columns, bars = bare(arguments), bare(initial), bare(columns), bare(bars)
    funding, volatility, terms = bare(funding), bare(volatility), bare(terms)
    equity, worst, accounts = bare(equity), bare(worst), bare(accounts)
    for lane in range(begin, end):
        account = accounts[lane]
        start(books, account, capital)
        for s in range(symbols):
            states[s, :] = initial[lane]
        peak, deep, day = capital, 0.0, 0
        given = arguments.ctypes.data + 8 * lane * MOST
        for at in range(0, count, CHUNK):
            last = min(at + CHUNK, count)
            fold_chunk(address, given, columns, known, at, last, states, frame, scratch, intents)
            since = max(at, first)
            if since < last:
                advance(
                    bars, intents, at, funding, volatility, terms, since, last, sizing, size, EXPECTED,
                    books, account, trades, marked, exposure,
                )  # fmt: skip
                peak, deep = deepest(marked, last - since, peak, deep)
                while day < ends.shape[0] and ends[day] < last - first:
                    equity[lane, day] = marked[ends[day] - (since - first)]
                    day += 1
        finish(count - 1, books, account, trades)
        worst[lane] = deep
    kept[0][0, 0] = 0.0  # numba frees an array after its last use, and a bare one keeps nothing alive
