"""Messages of the event log to rows of the lake."""

from typing import NamedTuple

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
        case Candles() as one:
            records = np.frombuffer(one.rows, CANDLE)
            return Rows(CANDLES, candle_frame(*_series(one.series), records, simulated=simulated))
        case Indicators() as one:
            return Rows(INDICATORS, _indicators(one, simulated=simulated))
        case Signals() as one:
            return Rows(SIGNALS, _signals(one.documents))
    return None


def _market(message: Message) -> Rows | Trades | None:
    match decode_market(message.payload):
        case Trades(records=records) as one if records:
            if int(one.rows()["symbol"].max()) >= len(one.symbols):
                raise InputError("trades of a symbol that the message does not name")
            return one
        case Gap() as one:
            return Rows(GAPS, gap_frame([(one, message.appended_at)]))
        case Funding() as one:
            return Rows(FUNDING, funding_frame([one]))
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


def _indicators(one: Indicators, *, simulated: bool) -> pl.DataFrame:
    values = np.frombuffer(one.values).reshape(len(one.series), len(one.columns))
    told = {name: pl.Series(np.ascontiguousarray(values[:, k])).fill_nan(None) for k, name in enumerate(one.columns)}
    for name, numbers in (("opened_at", one.opened_at), ("known_at", one.known_at), ("revision", one.revisions),
                          ("bars", one.bars)):  # fmt: skip
        told[name] = pl.Series(np.frombuffer(numbers, np.int64))
    for name, texts in zip(("exchange", "symbol", "timeframe"), _series(one.series), strict=True):
        told[name] = pl.Series(texts, dtype=pl.String)
    told["simulated"] = pl.Series([simulated] * len(one.series), dtype=pl.Boolean)
    nothing = pl.Series([None] * len(one.series), dtype=pl.Float64)  # a column that the message's code did not know
    columns = INDICATORS.columns
    return pl.DataFrame({name: told.get(name, nothing) for name in columns}).cast(dict(columns))  # type: ignore[arg-type]


def _signals(documents: list[bytes]) -> pl.DataFrame:
    rows = [{**msgspec.json.decode(one), "document": one.decode()} for one in documents]
    columns = SIGNALS.columns
    return pl.DataFrame([{name: row[name] for name in columns} for row in rows]).cast(dict(columns))  # type: ignore[arg-type]
