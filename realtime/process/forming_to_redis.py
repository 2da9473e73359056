"""Forming rows to those who look: at once for subscribed series while there is time, all of them once a second."""

import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import numpy as np
import redis

from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import Ints
from realtime.fold.board import Board
from realtime.fold.forming import Forming
from realtime.kernels.kernel import Floats
from realtime.process.to_redis import RedisWriter

POLL_SECONDS = 0.1
KEEP_SECONDS = 1.0
BUSY_SECONDS = 0.1
FEW = 1
"""Lines whose forming rows are kept at once, if more are not due."""
SHARE = 4.0
"""The next push comes no sooner than so many times what the last one took: a fifth of the time at most."""


class Subscriptions:
    """Which channels have subscribers, asked of Redis ten times a second in a thread of its own."""

    def __init__(self, url: str) -> None:
        """Ask the server at `url`."""
        self._client = redis.Redis.from_url(url, socket_timeout=5)
        self._stop = Event()
        self.names: frozenset[str] = frozenset()
        self._thread = Thread(target=self._poll, name="subscriptions", daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                channels: list[Any] = []
                for pattern in ("ohlcv.*", "indicators.*"):
                    channels += self._client.pubsub_channels(pattern)
            except redis.RedisError:
                continue
            self.names = frozenset(name.decode() for name in channels)

    def close(self) -> None:
        """Stop asking."""
        self._stop.set()
        self._thread.join()
        self._client.close()


class Pushing:
    """Decides after each round which forming rows go out.

    Forming values cost as much as closed ones, and only eyes wait for them: they get a fifth of the time at most,
    so that trades never queue behind them.
    """

    def __init__(self, board: Board, forming: Forming, store: RedisWriter, subscriptions: Subscriptions) -> None:
        """Push through a store."""
        self.board = board
        self.forming = forming
        self.store = store
        self.subscriptions = subscriptions
        self._next = self._kept_at = 0.0
        self._cursor = 0
        self._known: frozenset[str] = frozenset()
        self._lines: Ints = np.empty(0, np.int64)
        self._candles: set[int] = set()  # series by what is subscribed to
        self._values: set[int] = set()
        self._pushed: Ints = np.empty(0, np.int64)
        self._size = 0

    def turn(self, *, busy: bool) -> None:
        """Push what is due; `busy` says that more messages wait."""
        now = time.perf_counter()
        self._keep(now)
        if now >= self._next:
            lines = self._changed()
            if len(lines):
                self._push(lines)
                self._next = now + max(SHARE * (time.perf_counter() - now), BUSY_SECONDS if busy else 0.0)
        self.store.pipeline.send()

    def _keep(self, now: float) -> None:
        """Write the forming rows of all lines once a second, a few lines at a time so that nothing waits long."""
        count = len(self.board.lines)
        due = min(count, int(count * (now - self._kept_at) / KEEP_SECONDS))
        if due >= min(count, FEW) and count:
            self._kept_at = now
            for series, row, values, _ in self._formed((self._cursor + np.arange(due)) % count):
                self.store.keep_forming(series, row, values)
            self._cursor = (self._cursor + due) % count

    def _changed(self) -> Ints:
        """Return the subscribed lines whose forming candle has changed since the last push."""
        names = self.subscriptions.names
        if names is not self._known or self._size != len(self.board.names):
            self._known, self._size = names, len(self.board.names)
            series = [(k, self.store.names(k)) for k in range(self._size)] if names else []
            self._candles = {k for k, channels in series if channels.ohlcv in names}
            self._values = {k for k, channels in series if channels.values in names}
            self._lines = np.unique(np.array([k // LEVELS for k in self._candles | self._values], np.int64))
            self._pushed = np.full(len(self._lines), -1)
        if not len(self._lines):
            return self._lines
        state = self._progress(self._lines)
        changed = state != self._pushed
        self._pushed = state
        lines: Ints = self._lines[changed]
        return lines

    def _progress(self, lines: Ints) -> Ints:
        """Return a number per line that grows with every trade of it or of its members."""
        grid = self.board.grid
        own = grid.trade_counts[lines]
        parts = grid.members[lines]
        progress: Ints = own + np.where(parts >= 0, grid.trade_counts[parts], 0).sum(axis=1)
        return progress

    def _push(self, lines: Ints) -> None:
        for series, row, values, bars in self._formed(lines):
            if series in self._candles:
                self.store.publish_forming_candle(series, row)
            if series in self._values:
                self.store.publish_forming_indicators(series, row, values, bars)

    def _formed(self, lines: Ints) -> Iterator[tuple[int, bytes, Floats, int]]:
        """Yield the series of lines with their CANDLE row, indicators, and number of bars."""
        series, rows, values, bars = self.forming.compute(lines)
        data, size = rows.tobytes(), rows.dtype.itemsize
        for k, (number, count) in enumerate(zip(series.tolist(), bars.tolist(), strict=True)):
            yield number, data[k * size : (k + 1) * size], values[k], count
