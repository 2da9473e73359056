"""Many parameter sets of one strategy over one history: each lane folds its strategy and trades, a chunk at a time.

A chunk's intents stay in the nearest cache. Lanes share nothing that is written, so threads may take blocks of them.
"""

from typing import NamedTuple

import numpy as np

from assets.backtests.engine.arrays import Desk, Ints, Market, Trading, bare, bare_market
from assets.backtests.engine.compiling import compiled, inlined
from assets.backtests.engine.layout import BOOK, EXPECTED, TRADE_COLUMNS
from assets.backtests.engine.simulate import advance, finish, start
from realtime.kernels.addresses import call
from realtime.kernels.every_series import FRAME, MOST
from realtime.kernels.kernel import WHOLE, Floats

CHUNK = 256
"""Bars whose intents (12 KB a symbol) are made and traded before the next ones."""
INTENTS = 6


class Fold(NamedTuple):
    """A strategy's machine code and what it reads; arguments and initial states are rows of lanes."""

    address: int
    arguments: Floats
    initial: Floats
    columns: Floats  # (symbols, 6, bars that exist)
    known: Ints  # (symbols, bars + 1): how many bars of a symbol exist before a bar


class Results(NamedTuple):
    """What lanes write, a row each."""

    equity: Floats  # (lanes, days): at the end of every day
    worst: Floats  # largest drawdown, marked to market at every bar
    accounts: Floats  # (lanes, ACCOUNT)


class Buffers(NamedTuple):
    """Room that the lanes of one thread use one after the other."""

    frame: Ints  # what the machine code is called with
    scratch: Floats
    intents: Floats  # (symbols, INTENTS, CHUNK)
    marked: Floats  # equity of a chunk's bars
    exposure: Floats  # empty: lanes do not ask for it


@inlined
def fold_chunk(fold: Fold, arguments: int, first: int, last: int, states: Floats, buffers: Buffers) -> None:
    """Fold what exists of bars `first` up to `last` through a strategy; intents are put on the grid, NaN in gaps.

    `arguments` is the address of the lane's own.
    """
    columns, known, frame, intents = fold.columns, fold.known, buffers.frame, buffers.intents
    width = columns.shape[2]
    for s in range(columns.shape[0]):
        before, after = known[s, first], known[s, last]
        frame[0] = states.ctypes.data + 8 * s * states.shape[1]
        for k in range(6):
            frame[1 + k] = columns.ctypes.data + 8 * (6 * s + k) * width
        frame[7], frame[8], frame[9], frame[10] = width, WHOLE, before, after
        frame[11], frame[12] = intents.ctypes.data + 8 * s * INTENTS * CHUNK, CHUNK
        frame[13], frame[14] = 1, buffers.scratch.ctypes.data
        call(fold.address, frame.ctypes.data, 0, 0, arguments)
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


@inlined
def run_lane(
    lane: int,
    fold: Fold,
    market: Market,
    trading: Trading,
    ends: Ints,
    desk: Desk,
    states: Floats,
    buffers: Buffers,
    results: Results,
) -> None:
    """Fold and trade one lane chunk by chunk, from an empty account to its last bar."""
    books, account, trades = desk
    first, count = trading.first, market.bars.shape[2]
    start(books, account, trading.capital)
    for s in range(books.shape[0]):
        states[s, :] = fold.initial[lane]
    peak, deep, day = trading.capital, 0.0, 0
    arguments = fold.arguments.ctypes.data + 8 * lane * MOST
    intents, marked = buffers.intents, buffers.marked
    for at in range(0, count, CHUNK):
        last = min(at + CHUNK, count)
        fold_chunk(fold, arguments, at, last, states, buffers)
        since = max(at, first)
        if since < last:
            advance(market, intents, at, since, last, trading, EXPECTED, desk, marked, buffers.exposure)
            peak, deep = deepest(marked, last - since, peak, deep)
            while day < ends.shape[0] and ends[day] < last - first:
                results.equity[lane, day] = marked[ends[day] - (since - first)]
                day += 1
    finish(count - 1, books, account, trades)
    results.worst[lane] = deep


@compiled
def run_lanes(fold: Fold, market: Market, trading: Trading, ends: Ints, begin: int, end: int, results: Results) -> None:
    """Run lanes `begin` up to `end`; equity is written of the bars `ends`, counted from the first, which increase."""
    symbols, width = market.bars.shape[0], fold.initial.shape[1]
    owned = (
        np.empty((symbols, BOOK)),
        np.empty((1, len(TRADE_COLUMNS))),
        np.empty((symbols, width)),
        np.empty(width + 1),
        np.empty((symbols, INTENTS, CHUNK)),
        np.empty(CHUNK),
        np.empty(1),
    )
    books, trades, states, scratch = bare(owned[0]), bare(owned[1])[:0], bare(owned[2]), bare(owned[3])
    buffers = Buffers(np.empty(FRAME, np.int64), scratch, bare(owned[4]), bare(owned[5]), bare(owned[6])[:0])
    lanes = Fold(fold.address, bare(fold.arguments), bare(fold.initial), bare(fold.columns), fold.known)
    rows = Results(bare(results.equity), bare(results.worst), bare(results.accounts))
    every = bare_market(market)
    for lane in range(begin, end):
        run_lane(lane, lanes, every, trading, ends, Desk(books, rows.accounts[lane], trades), states, buffers, rows)
    owned[0][0, 0] = 0.0  # numba frees an array after its last use, and a bare one keeps nothing alive
