"""The past before the simulator's clock started: candles drawn per listing, seamless with the first live price."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.simulator.listing import FIRST_ID, MINUTE_MS, Kline, Listing

DAYS = 21
DAY_MS = 86_400_000
SIGMA = 6e-4  # of a minute's log return

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class History:
    """Columns of 1m candles, oldest first."""

    opened_at: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    taker_buy_volume: Ints
    count: Ints
    last_id: Ints

    def summed(self, length: int, shift: int = 0) -> "History":
        """Build longer candles; quote volumes of past candles follow from their prices, here as there."""
        if length == MINUTE_MS:
            return self
        buckets = self.opened_at - (self.opened_at + shift) % length
        first = np.flatnonzero(np.diff(buckets, prepend=-1))
        last = np.append(first[1:], len(buckets)) - 1
        add = np.add.reduceat
        return History(
            buckets[first],
            self.open[first],
            np.maximum.reduceat(self.high, first),
            np.minimum.reduceat(self.low, first),
            self.close[last],
            add(self.volume, first),
            add(self.taker_buy_volume, first),
            add(self.count, first),
            self.last_id[last],
        )


def draw(listing: Listing, *, seed: int, start: int, days: int = DAYS) -> History:
    """Walk back from the start price; symbols of one base share their path, whatever the exchange."""
    end = start - start % MINUTE_MS
    minutes = (end - (end - days * DAY_MS) // DAY_MS * DAY_MS) // MINUTE_MS
    shared = np.random.default_rng([seed, *listing.base.encode()])
    back = np.cumsum(shared.normal(0, SIGMA, minutes + 1))
    path = listing.start_price * np.exp(back - back[-1])
    own = np.random.default_rng([seed, *listing.exchange_symbol.encode(), *listing.exchange.encode()])
    unit = 10**listing.price_scale
    edges = np.maximum(1, np.rint(path * (1 + own.normal(0, 1e-5, minutes + 1)) * unit)).astype(np.int64)
    opens, closes = edges[:-1], edges[1:]
    wick = np.abs(own.normal(0, SIGMA / 2, (2, minutes)))
    high = np.maximum(np.maximum(opens, closes), np.rint(np.maximum(opens, closes) * (1 + wick[0]))).astype(np.int64)
    low = np.maximum(1, np.minimum(np.minimum(opens, closes), np.rint(np.minimum(opens, closes) * (1 - wick[1]))))
    lots = listing.notional_a_minute / path[1:] / float(listing.contract) * 10**listing.lot_scale
    volume = np.maximum(1, np.rint(lots * np.exp(own.normal(0, 0.7, minutes)))).astype(np.int64)
    count = own.poisson(60, minutes).astype(np.int64) + 1
    last = FIRST_ID - np.cumsum(count[::-1])[::-1] + count
    times = end - MINUTE_MS * np.arange(minutes, 0, -1, dtype=np.int64)
    taker = (volume * own.beta(8, 8, minutes)).astype(np.int64)
    return History(times, opens, high, low.astype(np.int64), closes, volume, taker, count, last)


class Past:
    """Histories of all listings, drawn when they are first asked for."""

    def __init__(self, *, seed: int, start: int, days: int = DAYS) -> None:
        """Let the past end at `start` (milliseconds)."""
        self._seed, self._start, self._days = seed, start, days
        self._known: dict[tuple[str, str, bool, int, int], History] = {}

    def klines(
        self, listing: Listing, timeframe_ms: int, since: int, until: int, now: int, shift: int = 0
    ) -> list[Kline]:
        """Return candles with since <= opened_at < until, oldest first; the newest one may be unfinished at `now`.

        `shift` opens them so many milliseconds before their multiple of UTC (a Hong Kong day: 8 h).
        """
        first = since - (since + shift) % timeframe_ms
        rows = self._past(listing, (timeframe_ms, shift), first, until)
        rows += self._live(listing, first, until + timeframe_ms, now)
        grouped: dict[int, Kline] = {}
        for row in rows:
            bucket = row.opened_at - (row.opened_at + shift) % timeframe_ms
            have = grouped.get(bucket)
            grouped[bucket] = _merge(have, row, bucket)
        return [kline for opened_at, kline in grouped.items() if since <= opened_at < until]

    def _past(self, listing: Listing, frame: tuple[int, int], since: int, until: int) -> list[Kline]:
        if self._days == 0 or since >= self._start:
            return []
        key = (listing.exchange, listing.base, listing.perpetual, *frame)
        if key not in self._known:
            minutes = (*key[:3], MINUTE_MS, 0)
            if minutes not in self._known:
                self._known[minutes] = draw(listing, seed=self._seed, start=self._start, days=self._days)
            self._known[key] = self._known[minutes].summed(*frame)
        h = self._known[key]
        a, b = np.searchsorted(h.opened_at, (since, until))
        columns = (h.opened_at, h.open, h.high, h.low, h.close, h.volume, h.taker_buy_volume, h.count, h.last_id)
        return [
            Kline(at, o, hi, lo, c, v, tv, v * ((hi + lo + c) // 3), tv * ((hi + lo + c) // 3), n, last - n + 1, last)
            for at, o, hi, lo, c, v, tv, n, last in zip(*(column[a:b].tolist() for column in columns), strict=True)
        ]

    @staticmethod
    def _live(listing: Listing, since: int, until: int, now: int) -> list[Kline]:
        known = listing.tape.klines
        if not known:
            return []
        minute = max(next(iter(known)), since)
        klines = []
        while minute < until and minute <= now:
            if (kline := listing.tape.quiet_minute(minute)) is not None:
                klines.append(kline)
            minute += MINUTE_MS
        return klines


def _merge(have: Kline | None, row: Kline, bucket: int) -> Kline:
    if have is None:
        return Kline(
            bucket,
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
            row.taker_buy_volume,
            row.quote,
            row.taker_buy_quote,
            row.count,
            row.first_id,
            row.last_id,
        )
    have.high, have.low, have.close = max(have.high, row.high), min(have.low, row.low), row.close
    have.volume += row.volume
    have.taker_buy_volume += row.taker_buy_volume
    have.quote += row.quote
    have.taker_buy_quote += row.taker_buy_quote
    have.count += row.count
    if row.count:
        have.first_id = row.first_id if have.first_id < 0 else have.first_id
        have.last_id = row.last_id
    return have
