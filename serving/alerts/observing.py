"""What closed on the log, as numbers that alerts are about."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from ingestion.market import CANDLE
from realtime.outputs.messages import Candles, Indicators, Kind, LateTrades, Signals, decode
from realtime.outputs.names import CANDLES_TOPIC, INDICATORS_TOPIC, SIGNALS_TOPIC

TOPICS = (CANDLES_TOPIC, INDICATORS_TOPIC, SIGNALS_TOPIC)


class Observation(NamedTuple):
    """One number of one closed candle; `name` is an indicator's column, else empty."""

    series: str
    source: str
    name: str
    opened_at: int
    value: float


class _Scored(msgspec.Struct):
    score: float


def observations(payload: bytes, subjects: Collection[tuple[str, str, str]]) -> Iterator[Observation]:
    """Yield what a message tells of the (series, source, name) in `subjects`; revisions tell nothing new."""
    message = decode(payload)
    if isinstance(message, LateTrades) or message.kind != Kind.CLOSED:
        return
    if isinstance(message, Candles):
        yield from _prices(message, subjects)
    elif isinstance(message, Indicators):
        yield from _indicators(message, subjects)
    else:
        yield from _scores(message, subjects)


def _prices(message: Candles, subjects: Collection[tuple[str, str, str]]) -> Iterator[Observation]:
    candles = np.frombuffer(message.rows, CANDLE)
    for k, series in enumerate(message.series):
        if (series, "price", "") in subjects:
            yield Observation(series, "price", "", int(candles["opened_at"][k]), price(candles[k]))


def _indicators(message: Indicators, subjects: Collection[tuple[str, str, str]]) -> Iterator[Observation]:
    opened_at = np.frombuffer(message.opened_at, np.int64)
    values = np.frombuffer(message.values).reshape(len(message.series), len(message.columns))
    names: dict[str, list[str]] = defaultdict(list)
    for series, source, name in subjects:
        if source == "indicator" and name in message.columns:
            names[series].append(name)
    for k, series in enumerate(message.series):
        for name in names.get(series, ()):
            value = float(values[k, message.columns.index(name)])
            yield Observation(series, "indicator", name, int(opened_at[k]), value)


def _scores(message: Signals, subjects: Collection[tuple[str, str, str]]) -> Iterator[Observation]:
    opened_at = np.frombuffer(message.opened_at, np.int64)
    for k, series in enumerate(message.series):
        if (series, "signal", "") in subjects:
            score = msgspec.json.decode(message.documents[k], type=_Scored).score
            yield Observation(series, "signal", "", int(opened_at[k]), score)


def price(candle: np.void) -> float:
    """Return a candle's close as a float: a comparison with a threshold, not an amount."""
    return float(int(candle["close"]) / 10 ** int(candle["price_scale"]))
