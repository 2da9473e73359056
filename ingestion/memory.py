"""The end of the event log, read at start, so that a restart loses and doubles nothing."""

from collections.abc import Iterable

import msgspec
import numpy as np

from infra import clock
from infra.eventlog import EventLog, Position
from ingestion.market import TIMEFRAMES, TRADE
from ingestion.messages import TRADES_TOPIC, Gap, History, Rows, Trades, decode_market
from ingestion.streams.sequence import Hole

WINDOW = 15 * clock.MINUTE
CHUNK = 2_000
LONGEST = TIMEFRAMES[-1].value
"""The last message of a symbol's history."""
SKEW = clock.MINUTE
"""How far an exchange's clock may be from ours for `since` to hold."""


class Memory:
    """The log's last fifteen minutes: trades and gaps by exchange and symbol, history by symbol."""

    def __init__(self, log: EventLog, partitions: int) -> None:
        """Read the tails of all partitions."""
        self._records: dict[tuple[str, str], list[bytes]] = {}
        self._gaps: dict[tuple[str, str], dict[Hole, str]] = {}
        self._warm: set[str] = set()
        self.clock: dict[str, int] = {}
        self.since = 0  # trades after it are all remembered
        for partition in range(partitions):
            self._read(log, Position(TRADES_TOPIC, partition))
        self._rows = {key: np.frombuffer(b"".join(parts), TRADE) for key, parts in self._records.items()}
        self._records.clear()
        self.received_at = max((int(rows["received_at"].max()) for rows in self._rows.values()), default=0)

    def _read(self, log: EventLog, position: Position) -> None:
        offset, end = self._window(log, position), log.end(position)
        newest = log.read({position: end - 1}, most=1, wait_ms=200) if offset < end else []
        if newest:
            self.since = max(self.since, newest[0].appended_at - WINDOW + SKEW)
        while offset < end and (messages := log.read({position: offset}, most=CHUNK, wait_ms=100)):
            offset = messages[-1].offset + 1
            for message in messages:
                self._take(message.payload)

    @staticmethod
    def _window(log: EventLog, position: Position) -> int:
        """Return the first offset appended within the window before the log's newest message."""
        low, high = log.begin(position), log.end(position)
        if low >= high:
            return high
        newest = log.read({position: high - 1}, most=1, wait_ms=200)
        since = (newest[0].appended_at if newest else clock.now()) - WINDOW
        while low < high:
            middle = (low + high) // 2
            messages = log.read({position: middle}, most=1, wait_ms=200)
            low, high = (middle + 1, high) if messages and messages[0].appended_at < since else (low, middle)
        return low

    def _take(self, payload: bytes) -> None:
        try:
            message = decode_market(payload)
        except msgspec.DecodeError:
            return
        if isinstance(message, Trades):
            self.clock[message.exchange] = max(self.clock.get(message.exchange, 0), message.clock)
            self._warm.update(message.symbols)
            if len(message.symbols) == 1 and message.records:  # as they nearly all are, and there may be a million
                self._records.setdefault((message.exchange, message.symbols[0]), []).append(message.records)
                return
            rows = message.rows()
            for index, symbol in enumerate(message.symbols):
                if len(mine := rows[rows["symbol"] == index]):
                    self._records.setdefault((message.exchange, symbol), []).append(mine.tobytes())
        elif isinstance(message, Gap):
            hole = Hole(message.first_id, message.last_id, message.from_at, message.to_at)
            self._gaps.setdefault((message.exchange, message.symbol), {})[hole] = message.status
        elif isinstance(message, History) and message.timeframe == LONGEST:
            self._warm.add(message.symbol)

    def rows(self, exchange: str, symbol: str) -> Rows | None:
        """Return the remembered trades of a symbol, None if there are none."""
        return self._rows.get((exchange, symbol))

    def gaps(self, exchange: str, symbol: str, *statuses: str) -> list[Hole]:
        """Return the gaps whose last record has one of these statuses."""
        return [hole for hole, status in self._gaps.get((exchange, symbol), {}).items() if status in statuses]

    def warm(self, symbol: str, exchanges: Iterable[str], now: int) -> bool:
        """Return whether the log has a symbol's history and ends so recently that it needs no newer one."""
        return symbol in self._warm and any(now - self.clock.get(name, 0) < WINDOW for name in exchanges)
