"""`/api/symbols`: every symbol at a glance."""

from collections import defaultdict
from http import HTTPStatus

import msgspec
import numpy as np
from starlette.requests import Request

from infra.clock import DAY
from ingestion.market import CANDLE, COMPOSITE, TIMEFRAMES, Series, Symbol, Timeframe, decimal_text
from realtime.outputs.names import candles_key, forming_key
from realtime.outputs.stored import StoredCandle
from serving.endpoint import Endpoint
from serving.parameters import Nothing
from serving.series_reader import SeriesReader
from serving.shapes import SymbolList

SPARKLINE = 60  # 1m candles
QUARTERS = 97  # 15m candles of a day, and the one before


async def symbols(request: Request, _query: Nothing) -> object:
    """Answer with all symbols, by name."""
    reader: SeriesReader = request.state.reader
    engine = await reader.engine()
    by_symbol: dict[str, set[str]] = defaultdict(set)
    frames: dict[str, set[str]] = defaultdict(set)
    for name in engine.series:
        exchange, _, rest = name.partition(":")
        symbol, _, timeframe = rest.rpartition(".")
        by_symbol[symbol].add(exchange)
        frames[symbol].add(timeframe)
    signals = await reader.latest_signals()
    glances = await _glances(reader, by_symbol)
    items = [
        {
            "symbol": symbol,
            "exchanges": sorted(by_symbol[symbol] - {COMPOSITE}),
            "timeframes": [str(frame) for frame in TIMEFRAMES if frame in frames[symbol]],
            **glances[symbol],
            "signal": _signal(symbol, signals),
        }
        for symbol in sorted(by_symbol)
    ]
    return {"items": items, "simulated": engine.simulated, "next": None}


async def _glances(reader: SeriesReader, by_symbol: dict[str, set[str]]) -> dict[str, dict[str, object]]:
    pipe = reader.client.pipeline(transaction=False)
    for symbol, exchanges in by_symbol.items():
        exchange = COMPOSITE if COMPOSITE in exchanges else min(exchanges)
        minute, quarter = (Series(exchange, Symbol.parse(symbol), frame) for frame in (Timeframe.M1, Timeframe.M15))
        pipe.hget(forming_key(minute), "candle")
        pipe.zrange(candles_key(minute), -SPARKLINE, -1)
        pipe.zrange(candles_key(quarter), -QUARTERS, -1)
    answers = iter(await reader.ask(pipe.execute()))
    return {symbol: _glance(next(answers), next(answers), next(answers)) for symbol in by_symbol}


def _glance(forming: bytes | None, minutes: list[bytes], quarters: list[bytes]) -> dict[str, object]:
    rows = [np.frombuffer(StoredCandle.unpack(member).candle, CANDLE)[0] for member in minutes]
    last = np.frombuffer(forming, CANDLE)[0] if forming else rows[-1] if rows else None
    if last is None:
        return {"last_price": None, "change_24h": None, "sparkline": []}
    price = decimal_text(int(last["close"]), int(last["price_scale"]))
    then = _a_day_before(int(last["opened_at"]), quarters)
    return {
        "last_price": price,
        "change_24h": float(price) / then - 1 if then else None,
        "sparkline": [_close(row) for row in rows],
    }


def _a_day_before(at: int, quarters: list[bytes]) -> float | None:
    """Return the close of the quarter of an hour that ended just before 24 hours ago, if there is one."""
    length = Timeframe.M15.microseconds
    quarter = Timeframe.M15.opened_at(at - DAY) - length
    for member in quarters:
        row = np.frombuffer(StoredCandle.unpack(member).candle, CANDLE)[0]
        if int(row["opened_at"]) in {quarter, quarter + length}:
            return _close(row)
    return None


def _close(row: np.void) -> float:
    return float(int(row["close"]) / 10 ** int(row["price_scale"]))


def _signal(symbol: str, signals: dict[str, bytes]) -> dict[str, object] | None:
    """Return the newest signal of the composite's shortest timeframe that has one."""
    for timeframe in TIMEFRAMES:
        if document := signals.get(f"{COMPOSITE}:{symbol}.{timeframe}"):
            return {"score": msgspec.json.decode(document)["score"], "timeframe": str(timeframe)}
    return None


ENDPOINTS = (
    Endpoint("/api/symbols", "All symbols at a glance", symbols, SymbolList, errors=(HTTPStatus.BAD_REQUEST,)),
)
