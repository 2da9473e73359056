"""What the event log already has: read at start, so that a restart loses and doubles nothing."""

from collections.abc import Iterable

import msgspec

from infra import clock
from infra.eventlog import EventLog, Position
from ingestion.messages import TRADES_TOPIC, Rows, Trades, decode_market
from ingestion.streams.feed import concatenated

WINDOW = 15 * clock.MINUTE
CHUNK = 2_000


class Memory:
    """The trades of the last fifteen minutes, by exchange and symbol, and when each exchange's clock stood."""

    def __init__(self, log: EventLog, partitions: int) -> None:
        """Read the tails of all partitions."""
        self._rows: dict[tuple[str, str], list[Rows]] = {}
        self.clock: dict[str, int] = {}
        for partition in range(partitions):
            self._read(log, Position(TRADES_TOPIC, partition))

    def _read(self, log: EventLog, position: Position) -> None:
        offset, end = self._window(log, position), log.end(position)
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
            found = log.read({position: middle}, most=1, wait_ms=200)
            low, high = (middle + 1, high) if found and found[0].appended_at < since else (low, middle)
        return low

    def _take(self, payload: bytes) -> None:
        try:
            message = decode_market(payload)
        except msgspec.DecodeError:
            return
        if isinstance(message, Trades):
            self.clock[message.exchange] = max(self.clock.get(message.exchange, 0), message.clock)
            rows = message.rows()
            for index, symbol in enumerate(message.symbols):
                self._rows.setdefault((message.exchange, symbol), []).append(rows[rows["symbol"] == index])

    def rows(self, exchange: str, symbol: str) -> Rows | None:
        """Return the remembered trades of a symbol, None if there are none."""
        parts = self._rows.get((exchange, symbol))
        return concatenated(parts) if parts else None

    def fresh(self, exchanges: Iterable[str], now: int) -> bool:
        """Tell whether the log ends so recently that candles need no new history."""
        return any(now - self.clock.get(name, 0) < WINDOW for name in exchanges)
