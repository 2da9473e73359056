"""Invented trades: correlated symbols, stochastic volatility, clustered arrivals; all exchanges quote around one price.

The same seed and start give the same trades: time passes in blocks, and each block is drawn from one generator.
"""

import math
from collections.abc import Iterator

import numpy as np

from ingestion.simulator.listing import FIRST_ID, Listing, Trade

BLOCK_MS = 200
YEAR_MS = 365 * 86_400_000
FACTOR_VOLATILITY = 0.55  # a year, of the factor that all symbols share
OWN_VOLATILITY = 0.45
MEDIAN_NOTIONAL = 400.0  # USDT
SPREAD = 1.3  # of the logarithm of a trade's size
EXCHANGE_WEIGHTS = {"binance": 0.5, "bybit": 0.28, "okx": 0.22}
PERPETUAL_WEIGHT = 0.3


class Generator:
    """Draws the trades of all listings, block after block."""

    def __init__(self, listings: list[Listing], *, seed: int, rate: float, start: int) -> None:
        """Start at `start` (milliseconds) with `rate` trades a second over all listings."""
        self._random = np.random.default_rng(seed)
        self._listings, self._rate, self._now = listings, rate, start
        bases = list(dict.fromkeys(listing.base for listing in listings))
        self._base = np.array([bases.index(listing.base) for listing in listings])
        starts = {listing.base: listing.start_price for listing in listings}
        self._logs = np.log([starts[base] for base in bases])
        self._beta = 0.7 + 0.6 * self._random.random(len(bases))
        self._volatility, self._excitement = 1.0, 1.0
        weights = [
            EXCHANGE_WEIGHTS[one.exchange] * (PERPETUAL_WEIGHT if one.perpetual else 1.0)
            / (1 + bases.index(one.base)) ** 0.8
            for one in listings
        ]  # fmt: skip
        self._weights = np.array(weights) / sum(weights)
        for one, weight in zip(listings, self._weights, strict=True):
            one.notional_a_minute = float(weight) * rate * 60 * MEDIAN_NOTIONAL * math.exp(SPREAD**2 / 2)
        self._bias = self._random.normal(0, 2e-5, len(listings))
        self._ids = [FIRST_ID] * len(listings)

    def blocks(self) -> Iterator[tuple[int, list[tuple[Listing, Trade]]]]:
        """Yield the end of each block (milliseconds) with its trades in order of time, for ever."""
        while True:
            trades = self._block()
            self._now += BLOCK_MS
            yield self._now, trades

    def _block(self) -> list[tuple[Listing, Trade]]:
        random = self._random
        self._volatility = math.exp(0.995 * math.log(self._volatility) + 0.05 * random.normal())
        self._excitement = (
            1.0 + (self._excitement - 1.0) * 0.85 + (1.5 * random.random() if random.random() < 0.03 else 0)
        )
        step = math.sqrt(BLOCK_MS / YEAR_MS) * self._volatility
        moves = self._beta * random.normal() * FACTOR_VOLATILITY + random.normal(size=len(self._logs)) * OWN_VOLATILITY
        before = self._logs.copy()
        self._logs += moves * step
        count = int(random.poisson(self._rate * BLOCK_MS / 1000 * self._excitement / 1.15))
        offsets = np.sort(random.integers(0, BLOCK_MS, count))
        which = random.choice(len(self._listings), count, p=self._weights)
        part = offsets / BLOCK_MS
        mids = np.exp(before[self._base[which]] * (1 - part) + self._logs[self._base[which]] * part)
        buys = random.random(count) < 0.5 + 0.15 * math.tanh(moves.mean())
        prices = mids * (1 + self._bias[which] + np.where(buys, 1, -1) * 2e-5)
        notionals = MEDIAN_NOTIONAL * np.exp(random.normal(0, SPREAD, count))
        return [
            self._trade(int(k), int(offset), float(price), float(notional), bool(side))
            for k, offset, price, notional, side in zip(which, offsets, prices, notionals, buys, strict=True)
        ]

    def _trade(self, k: int, offset: int, price: float, notional: float, buys: bool) -> tuple[Listing, Trade]:
        listing = self._listings[k]
        ticks = max(1, round(price * 10**listing.price_scale))
        lots = max(1, round(notional / price / float(listing.contract) * 10**listing.lot_scale))
        self._ids[k] += 1
        return listing, Trade(self._ids[k], self._now + offset, ticks, lots, buys)
