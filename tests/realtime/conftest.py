"""Trades, and folding them, for the tests of the engine."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from infra.clock import MINUTE, SECOND
from ingestion.market import COMPOSITE, TIMEFRAMES, TRADE
from ingestion.messages import MarketMessage, Trades, decode_market, encode
from realtime.fold.board import Board
from realtime.fold.emission import Emission, Output
from realtime.fold.engine import Engine
from realtime.outputs.messages import Kind

BEGIN = 1_700_000_040 * SECOND // MINUTE * MINUTE
EXCHANGES = ("binance", "bybit", "okx")


def trade_rows(traded_at: Any, price: Any, quantity: Any, *, price_scale: Any = 2, quantity_scale: Any = 3) -> Any:
    """TRADE rows with ids from 1 on in the order given."""
    rows = np.zeros(len(traded_at), TRADE)
    rows["traded_at"], rows["price"], rows["quantity"] = traded_at, price, quantity
    rows["price_scale"], rows["quantity_scale"] = price_scale, quantity_scale
    rows["sequence"] = rows["id_low"] = np.arange(1, len(rows) + 1)
    rows["count"] = 1
    return rows


def random_trades(seed: int, count: int, minutes: int, symbols: int) -> dict[str, Any]:
    """Trades of three exchanges in the order of time, scales included, with minutes that some have no trade in."""
    random = np.random.default_rng(seed)
    found = {}
    for k, exchange in enumerate(EXCHANGES):
        at = BEGIN + np.sort(random.integers(0, minutes * MINUTE, count))
        rows = trade_rows(
            at,
            random.integers(1, 5_000_000, count),
            random.integers(1, 10**6, count),
            price_scale=random.integers(1, 4, count),
            quantity_scale=random.integers(0, 5, count),
        )
        rows["symbol"], rows["flags"] = random.integers(0, symbols, count), random.integers(0, 2, count)
        found[exchange] = rows[(rows["traded_at"] // MINUTE + k) % 7 != 0]
    return found


def messages(arrivals: dict[str, tuple[Any, Any]], symbols: list[str], span: int, end: int) -> list[Trades]:
    """Cut each exchange's (arrival times, trades) into messages of `span` microseconds, all in the order of arrival.

    An exchange that has nothing to say sends its clock once a second, up to `end`.
    """
    cut: list[tuple[int, Trades]] = []
    for exchange, (arrived_at, rows) in arrivals.items():
        order = np.argsort(arrived_at, kind="stable")
        slots = arrived_at[order] // span
        for part in np.split(order, np.flatnonzero(np.diff(slots)) + 1):
            at = int(arrived_at[part].max())
            cut.append((at, Trades(exchange, at, symbols, rows[part].tobytes())))
        cut += [(at, Trades(exchange, at, [], b"")) for at in range(BEGIN, end, SECOND)]
    return [message for _, message in sorted(cut, key=lambda pair: (pair[0], pair[1].exchange))]


@dataclass
class Folded:
    """Everything an engine has given, and its last word on each candle and bar."""

    engine: Engine
    outputs: list[Output] = field(default_factory=list)
    candles: dict[tuple[str, int], Any] = field(default_factory=dict)
    values: dict[tuple[str, int], Any] = field(default_factory=dict)
    revisions: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))

    def take(self, outputs: list[Output]) -> None:
        self.outputs += outputs
        board: Board = self.engine.board
        for one in outputs:
            if not isinstance(one, Emission):
                continue
            for series, row in zip(one.series.tolist(), one.candles, strict=True):
                key = str(board.names[series]), int(row["opened_at"])
                assert (int(row["revision"]) == 0) == (one.kind is Kind.CLOSED)
                self.candles[key] = row
                self.revisions[key].append(int(row["revision"]))
            for series, opened_at, values in zip(
                one.value_series.tolist(), one.opened_at.tolist(), one.values, strict=True
            ):
                self.values[str(board.names[series]), opened_at] = values

    def bytes(self) -> dict[tuple[str, int], bytes]:
        return {key: row.tobytes() for key, row in self.candles.items()}


def new_engine() -> Engine:
    return Engine(lateness=2 * SECOND, window=600 * SECOND)


def fold(stream: Iterable[MarketMessage], engine: Engine | None = None) -> Folded:
    """Fold messages, through their bytes."""
    folded = Folded(engine or new_engine())
    for message in stream:
        folded.take(folded.engine.fold(0, decode_market(encode(message))))
    return folded


def amounts(row: Any) -> tuple[Any, ...]:
    """What a candle says, in exact numbers."""
    price, quantity = 10 ** int(row["price_scale"]), 10 ** int(row["quantity_scale"])
    quote = (int(row["quote_high"]) << 64) + int(row["quote_low"])
    return (
        *(Fraction(int(row[name]), price) for name in ("open", "high", "low", "close")),
        Fraction(int(row["volume"]), quantity),
        Fraction(int(row["taker_buy_volume"]), quantity),
        Fraction(quote, price * quantity),
        int(row["trade_count"]),
        int(row["first_id_low"]),
        int(row["last_id_low"]),
    )


def expected(trades: dict[str, Any], symbols: list[str]) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Recompute all candles that have trades, in plain Python, from all trades at once."""
    bins: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for exchange, rows in trades.items():
        for t in rows.tolist():
            at, _, sequence, _, trade_id, price, quantity, symbol, price_scale, quantity_scale, flags = t[:11]
            p, q = Fraction(price, 10**price_scale), Fraction(quantity, 10**quantity_scale)
            for timeframe in TIMEFRAMES:
                for who in (exchange, COMPOSITE):
                    key = f"{who}:{symbols[symbol]}.{timeframe}", timeframe.opened_at(at)
                    bins[key].append((at, exchange, sequence, trade_id, p, q, flags & 1))
    return {key: _summed(found) for key, found in bins.items()}


def _summed(trades: list[Any]) -> tuple[Any, ...]:
    trades.sort()
    prices, volumes = [t[4] for t in trades], [t[5] for t in trades]
    return (
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        sum(volumes),
        sum(t[5] for t in trades if t[6]),
        sum(p * q for p, q in zip(prices, volumes, strict=True)),
        len(trades),
        trades[0][3],
        trades[-1][3],
    )


class Tools:
    """The functions of this file, for tests: a test module cannot import a neighbour."""

    BEGIN, EXCHANGES = BEGIN, EXCHANGES
    rows = staticmethod(trade_rows)
    random = staticmethod(random_trades)
    messages = staticmethod(messages)
    fold = staticmethod(fold)
    engine: Callable[[], Engine] = staticmethod(new_engine)
    amounts = staticmethod(amounts)
    expected = staticmethod(expected)
    Folded = Folded


@pytest.fixture(scope="session")
def tools() -> type[Tools]:
    return Tools
