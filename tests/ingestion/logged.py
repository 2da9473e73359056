"""What `cap ingest` has written to the event log, message by message as others read it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.market import TradeFlag, trade_id_text
from ingestion.messages import (
    DEAD_LETTER_TOPIC,
    TRADES_TOPIC,
    Coverage,
    DeadLetter,
    Gap,
    Trades,
    decode_dead_letter,
    decode_market,
)

Key = tuple[str, str]


@dataclass
class Logged:
    """Trades, gaps and dead letters of the event log, as far as it has come."""

    trades: dict[Key, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    values: dict[tuple[str, str, str], tuple[int, Decimal, Decimal]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    since: dict[Key, int] = field(default_factory=dict)
    healed: int = 0
    clock: int = 0  # the latest that any exchange's time was said to be
    letters: list[DeadLetter] = field(default_factory=list)

    def begin(self, key: Key) -> int:
        """Return since when all trades must be there: as the log says, or since the first one where it does not.

        Bybit gives too few old trades by REST to be sure of the begun minute.
        """
        first = min((at for (*series, _), (at, *_) in self.values.items() if tuple(series) == key), default=0)
        return self.since.get(key, first)


def read_log(url: str) -> Logged:
    """Read a Valkey's log from its begin."""
    logged, log = Logged(), ValkeyLog(url)
    for payload in _payloads(log, Position(TRADES_TOPIC, 0)):
        message = decode_market(payload)
        if isinstance(message, Trades):
            _take(logged, message)
        elif isinstance(message, Gap):
            logged.gaps.append(message)
        elif isinstance(message, Coverage):
            logged.since.setdefault((message.exchange, message.symbol), message.since)
    logged.letters = [decode_dead_letter(payload) for payload in _payloads(log, Position(DEAD_LETTER_TOPIC, 0))]
    log.close()
    return logged


def _take(logged: Logged, message: Trades) -> None:
    logged.clock = max(logged.clock, message.clock)
    for row in message.rows():
        symbol = message.symbols[row["symbol"]]
        last = int(row["id_low"])
        names = (
            [trade_id_text(int(row["id_high"]), last)]
            if row["id_high"]
            else [str(n) for n in range(last - int(row["count"]) + 1, last + 1)]
        )
        price = Decimal(int(row["price"])).scaleb(-int(row["price_scale"]))
        quantity = Decimal(int(row["quantity"])).scaleb(-int(row["quantity_scale"]))
        for name in names:
            logged.trades[message.exchange, symbol][name] += 1
            logged.values[message.exchange, symbol, name] = (int(row["traded_at"]), price, quantity)
        logged.healed += bool(row["flags"] & TradeFlag.HEALED)


def _payloads(log: ValkeyLog, position: Position) -> Iterator[bytes]:
    offset, end = log.begin(position), log.end(position)
    while offset < end:
        messages = log.read({position: offset}, most=2_000)
        yield from (message.payload for message in messages)
        offset += len(messages)
