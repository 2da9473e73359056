"""Messages of the event log to rows of the lake."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from infra.errors import InputError
from infra.eventlog import Message
from ingestion.lake.datasets import CANDLES, FUNDING, GAPS, TRADES, Dataset
from ingestion.lake.rows import candle_frame, funding_frame, gap_frame
from ingestion.market import CANDLE
from ingestion.messages import TRADES_TOPIC, Funding, Gap, Trades, decode_market
from realtime.lake.datasets import INDICATORS, SIGNALS
from realtime.outputs.messages import Candles, Indicators, Signals, decode
from realtime.outputs.names import CANDLES_TOPIC, INDICATORS_TOPIC, SIGNALS_TOPIC

FEEDS = {
    TRADES_TOPIC: (TRADES, GAPS, FUNDING),
    CANDLES_TOPIC: (CANDLES,),
    INDICATORS_TOPIC: (INDICATORS,),
    SIGNALS_TOPIC: (SIGNALS,),
}
"""Which datasets each topic feeds."""


class Rows(NamedTuple):
    """Rows of one dataset."""

    dataset: Dataset
    frame: pl.DataFrame


def rows_of(message: Message, *, simulated: bool) -> Rows | Trades | None:
    """Return what a message adds to the lake, None if nothing; trades as they are.

    Raises msgspec.DecodeError or InputError.
    """
    if message.position.topic == TRADES_TOPIC:
        return _market(message)
    match decode(message.payload):
        case Candles() as candles:
            records = np.frombuffer(candles.rows, CANDLE)
            return Rows(CANDLES, candle_frame(*_series(candles.series), records, simulated=simulated))
        case Indicators() as indicators:
            return Rows(INDICATORS, _indicators(indicators, simulated=simulated))
        case Signals() as signals:
            return Rows(SIGNALS, _signals(signals.documents))
    return None


def _market(message: Message) -> Rows | Trades | None:
    match decode_market(message.payload):
        case Trades(records=records) as trades if records:
            if int(trades.rows()["symbol"].max()) >= len(trades.symbols):
                raise InputError("trades of a symbol that the message does not name")
            return trades
        case Gap() as gap:
            return Rows(GAPS, gap_frame([(gap, message.appended_at)]))
        case Funding() as funding:
            return Rows(FUNDING, funding_frame([funding]))
    return None


def _series(names: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Part `binance:BTC-USDT.1m` into exchange, symbol, timeframe; thousands of times the same few."""
    exchanges, symbols, timeframes = [], [], []
    for name in names:
        exchange, _, rest = name.partition(":")
        symbol, _, timeframe = rest.rpartition(".")
        exchanges.append(exchange)
        symbols.append(symbol)
        timeframes.append(timeframe)
    return exchanges, symbols, timeframes


def _indicators(message: Indicators, *, simulated: bool) -> pl.DataFrame:
    count = len(message.series)
    values = np.frombuffer(message.values).reshape(count, len(message.columns))
    series = {
        name: pl.Series(np.ascontiguousarray(values[:, k])).fill_nan(None) for k, name in enumerate(message.columns)
    }
    for name, numbers in (
        ("opened_at", message.opened_at),
        ("known_at", message.known_at),
        ("revision", message.revisions),
        ("bars", message.bars),
    ):
        series[name] = pl.Series(np.frombuffer(numbers, np.int64))
    for name, texts in zip(("exchange", "symbol", "timeframe"), _series(message.series), strict=True):
        series[name] = pl.Series(texts, dtype=pl.String)
    series["simulated"] = pl.Series([simulated] * count, dtype=pl.Boolean)
    nothing = pl.Series([None] * count, dtype=pl.Float64)  # a column that the message's code did not know
    return _table({name: series.get(name, nothing) for name in INDICATORS.columns}, INDICATORS)


def _signals(documents: list[bytes]) -> pl.DataFrame:
    rows = [{**msgspec.json.decode(document), "document": document.decode()} for document in documents]
    return _table([{name: row[name] for name in SIGNALS.columns} for row in rows], SIGNALS)


def _table(columns_or_rows: Any, dataset: Dataset) -> pl.DataFrame:
    types: Any = dict(dataset.columns)
    return pl.DataFrame(columns_or_rows).cast(types)
