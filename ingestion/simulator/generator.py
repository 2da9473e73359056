"""Invented trades: correlated symbols, stochastic volatility, clustered arrivals; all exchanges quote around one price.

Arrivals excite themselves (a Hawkes process in discrete time) and news excites them more; a taker may sweep several
makers. The same seed and start give the same trades: time passes in blocks, and each is drawn from one generator.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ingestion.simulator.dialects import dialects
from ingestion.simulator.listing import FIRST_ID, Listing, Trade

BLOCK_MS = 200
YEAR_MS = 365 * 86_400_000
FACTOR_VOLATILITY = 0.55  # a year, of the factor that all symbols share
OWN_VOLATILITY = 0.45
MEDIAN_NOTIONAL = 400.0  # USDT
SPREAD = 1.3  # of the logarithm of a trade's size
PERPETUAL_WEIGHT = 0.3
BRANCHING = 0.6  # trades that another trade causes
DECAY = 0.85  # of excitement, a block
NEWS = 0.03  # chance of a block
SWEEPS = np.array([0.85, 0.1, 0.03, 0.02])  # of 1, 2, 3, 4 makers


Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Generator:
    """Draws the trades of all listings, block after block."""

    def __init__(self, listings: list[Listing], *, seed: int, rate: float, start: int, sweeps: bool = True) -> None:
        """Start at `start` (milliseconds) with `rate` trades a second over all listings; see Options for `sweeps`."""
        self._random = np.random.default_rng(seed)
        self._listings, self._now = listings, start
        self._sweeps = SWEEPS if sweeps else np.eye(4)[0]
        fills = float(self._sweeps @ np.arange(1, 5))
        bases = list(dict.fromkeys(listing.base for listing in listings))
        self._base = np.array([bases.index(listing.base) for listing in listings])
        starts = {listing.base: listing.start_price for listing in listings}
        self._logs = np.log([starts[base] for base in bases])
        self._beta = 0.7 + 0.6 * self._random.random(len(bases))
        self._volatility, self._news = 1.0, 1.0
        self._usual = rate * BLOCK_MS / 1000 / fills  # takers a block
        self._excited = self._usual * BRANCHING
        weights = [
            dialects()[listing.exchange].share
            * (PERPETUAL_WEIGHT if listing.perpetual else 1.0)
            / (1 + bases.index(listing.base)) ** 0.8
            for listing in listings
        ]
        self._weights = np.array(weights) / sum(weights)
        for listing, weight in zip(listings, self._weights, strict=True):
            listing.notional_a_minute = float(weight) * rate / fills * 60 * MEDIAN_NOTIONAL * math.exp(SPREAD**2 / 2)
        self._bias = self._random.normal(0, 2e-5, len(listings))
        self._ids = [FIRST_ID] * len(listings)
        self._ticks = np.array([10.0**listing.price_scale for listing in listings])
        self._lots = np.array([10.0**listing.lot_scale / float(listing.contract) for listing in listings])

    def blocks(self) -> Iterator[tuple[int, list[tuple[Listing, Trade]]]]:
        """Yield the end of each block (milliseconds) with its trades in order of time, without end."""
        while True:
            trades = self._block()
            self._now += BLOCK_MS
            yield self._now, trades

    def _takers(self) -> int:
        """Draw how many takers come in this block."""
        random = self._random
        shock = 1.5 * random.random() if random.random() < NEWS else 0.0
        self._news = 1.0 + (self._news - 1.0) * DECAY + shock
        usual = 1.0 + NEWS * 0.75 / (1.0 - DECAY)
        expected = (self._usual * (1.0 - BRANCHING) + self._excited) * self._news / usual
        count = int(random.poisson(expected))
        self._excited += (min(count, 10 * self._usual + 10) * BRANCHING - self._excited) * (1.0 - DECAY)
        return count

    def _block(self) -> list[tuple[Listing, Trade]]:
        random = self._random
        self._volatility = math.exp(0.995 * math.log(self._volatility) + 0.05 * random.normal())
        step = math.sqrt(BLOCK_MS / YEAR_MS) * self._volatility
        moves = self._beta * random.normal() * FACTOR_VOLATILITY + random.normal(size=len(self._logs)) * OWN_VOLATILITY
        before = self._logs.copy()
        self._logs += moves * step
        count = self._takers()
        offsets = np.sort(random.integers(0, BLOCK_MS, count))
        which = random.choice(len(self._listings), count, p=self._weights)
        part = offsets / BLOCK_MS
        mids = np.exp(before[self._base[which]] * (1 - part) + self._logs[self._base[which]] * part)
        side = np.where(random.random(count) < 0.5 + 0.15 * math.tanh(moves.mean()), 1, -1)
        prices = mids * (1 + self._bias[which] + side * 2e-5)
        lots = MEDIAN_NOTIONAL * np.exp(random.normal(0, SPREAD, count)) / prices * self._lots[which]
        fills = random.choice(np.arange(1, 5), count, p=self._sweeps)
        taker = np.repeat(np.arange(count), fills)
        maker = np.arange(len(taker)) - np.repeat(np.cumsum(fills) - fills, fills)
        # the second maker stands at the first one's price, the third and fourth a tick further
        ticks = np.maximum(1, np.rint(prices * self._ticks[which])[taker] + side[taker] * (maker // 2))
        sizes = np.maximum(1, np.rint((lots / fills)[taker]))
        columns = (which[taker], offsets[taker] + self._now, ticks.astype(np.int64), sizes.astype(np.int64))
        return self._numbered(columns, (side > 0)[taker])

    def _numbered(self, columns: tuple[Ints, Ints, Ints, Ints], buys: Flags) -> list[tuple[Listing, Trade]]:
        trades, ids, listings = [], self._ids, self._listings
        for k, at, ticks, lots, bought in zip(*(column.tolist() for column in columns), buys.tolist(), strict=True):
            ids[k] += 1
            trades.append((listings[k], Trade(ids[k], at, ticks, lots, bought)))
        return trades
