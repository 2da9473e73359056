"""The arrays that the loops hand to each other. They are views without an owner, or owned by who calls from Python."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from assets.backtests.engine.compiling import inlined
from realtime.kernels.addresses import floats
from realtime.kernels.kernel import Floats

Ints = npt.NDArray[np.int64]


class Market(NamedTuple):
    """What is the same for every strategy that trades on a history."""

    bars: Floats  # (symbols, 5, bars): open high low close volume, NaN where there is none
    funding: Floats  # (symbols, bars): rate that is paid at a bar's open
    volatility: Floats  # (symbols, bars): annual, known at a bar's close
    terms: Floats  # (symbols, TERMS)


class Desk(NamedTuple):
    """What trading changes: positions and orders, the money, and the trades that have ended."""

    books: Floats  # (symbols, BOOK)
    account: Floats  # ACCOUNT
    trades: Floats  # (most trades, TRADE_COLUMNS)


class Trading(NamedTuple):
    """From which bar on, with how much, and how large a position is."""

    first: int
    capital: float
    sizing: int
    size: float


@inlined
def bare(array: Floats) -> Floats:
    """Return a C-contiguous array without its owner, whose every view and call would be counted, by all threads."""
    return floats(array.ctypes.data, array.size).reshape(array.shape)


@inlined
def bare_market(market: Market) -> Market:
    """Return a market whose arrays have no owner; the caller's arrays must outlive it."""
    return Market(bare(market.bars), bare(market.funding), bare(market.volatility), bare(market.terms))
