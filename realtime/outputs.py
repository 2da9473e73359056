"""What the engine gives to others: topics, Redis keys, pub/sub channels and the text of each message.

A pub/sub payload is ready to be sent to people: a fixed head that servers act upon, then JSON that they pass on
unread. Only closed candles and their revisions (with indicators and signals) have a sequence of their own; a forming
update repeats the sequence of the last closed one, and a newer one replaces it.
"""

import hashlib
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec
import numpy as np

from ingestion.market import QUALITIES, Series, decimal_text, trade_id_text

CANDLES_TOPIC = "market-ohlcv"
INDICATORS_TOPIC = "indicators"
SIGNALS_TOPIC = "signals"
LATE_TOPIC = "late-trades"
"""Trades that no candle took: beyond the revision window, without a positive price, ahead of the clock."""

KEPT_CANDLES = 1_000
KEPT_INDICATORS = 240
KEPT_SIGNALS = 1_000


class Kind(IntEnum):
    """What a pub/sub payload is about; a server may conflate FORMING only."""

    FORMING = 0
    CLOSED = 1
    REVISED = 2


class Head(NamedTuple):
    """First bytes of every payload."""

    kind: Kind
    sequence: int  # per channel, dense from 1 over CLOSED and REVISED
    opened_at: int
    published_at: int  # wall clock, microseconds

    def pack(self) -> bytes:
        """Write the 25 bytes."""
        return _HEAD.pack(*self)

    @classmethod
    def unpack(cls, payload: bytes) -> "Head":
        """Read the head of a payload."""
        kind, *rest = _HEAD.unpack_from(payload)
        return cls(Kind(kind), *rest)


_HEAD = struct.Struct("<Bqqq")
HEAD_BYTES = _HEAD.size


def candles_channel(series: Series) -> str:
    """Pub/sub channel of candles: `ohlcv.binance:BTC-USDT.1m`."""
    return f"ohlcv.{series}"


def indicators_channel(series: Series) -> str:
    """Pub/sub channel of all indicators of a series."""
    return f"indicators.{series}"


def signals_channel(series: Series) -> str:
    """Pub/sub channel of scored signals of a series."""
    return f"signals.{series}"


def candles_key(series: Series) -> str:
    """Sorted set by opened_at of StoredCandle bytes, the latest revision of each, KEPT_CANDLES long."""
    return f"candles:{series}"


def indicators_key(series: Series) -> str:
    """Sorted set by opened_at of StoredIndicators bytes, KEPT_INDICATORS long."""
    return f"indicators:{series}"


def signals_key(series: Series) -> str:
    """Sorted set by opened_at of StoredSignal bytes, KEPT_SIGNALS long."""
    return f"signals:{series}"


def forming_key(series: Series) -> str:
    """Hash with the newest forming state: `candle` CANDLE row, `indicators` float64 values, at least once a second."""
    return f"forming:{series}"


LATEST_SIGNALS_KEY = "signals:latest"  # hash: series -> JSON of its newest signal
SERIES_KEY = "series"  # set of all series that the engine publishes, as text
ENGINE_KEY = "engine"
"""Hash: `columns` (JSON list of indicator names), `converged` (JSON list of bars, one per column), `fingerprint`,
`config`, `simulated` (0 or 1), `started_at`, `lag` (microseconds), `caught_up` (0 or 1)."""


def quality_key(series: Series) -> str:
    """Hash of what is known about an exchange's 1m candles.

    `audited`, `differing`: counts of minutes compared with the exchange's own; `last_audited_at`, `last_differing_at`
    (opened_at); `last_differing` (JSON list of fields).
    """
    return f"quality:{series}"


class StoredCandle(NamedTuple):
    """Member of `candles_key`: the sequence it was published under, then the row."""

    sequence: int
    candle: bytes

    def pack(self) -> bytes:
        """Write sequence and row."""
        return self.sequence.to_bytes(8, "little") + self.candle

    @classmethod
    def unpack(cls, member: bytes) -> "StoredCandle":
        """Read a member."""
        return cls(int.from_bytes(member[:8], "little"), member[8:])


class StoredIndicators(msgspec.Struct, frozen=True, array_like=True):
    """Indicators of one closed candle; `values` is float64, NaN while warming up, in the order of `columns`."""

    sequence: int
    opened_at: int
    known_at: int
    revision: int
    bars: int  # candles folded since the beginning: with `Indicator.converged` it tells whether a value has converged
    values: bytes


class Candles(msgspec.Struct, frozen=True, array_like=True, tag="candles"):
    """Message of CANDLES_TOPIC: candles that closed together, or their revisions; rows are CANDLE."""

    kind: int  # Kind
    series: list[str]
    sequences: bytes  # int64 each
    rows: bytes


class Indicators(msgspec.Struct, frozen=True, array_like=True, tag="indicators"):
    """Message of INDICATORS_TOPIC: one row of `columns` float64 per bar; a revision tells all later bars it changes."""

    kind: int
    columns: list[str]
    series: list[str]
    sequences: bytes  # int64 each, as the four below
    opened_at: bytes
    known_at: bytes
    revisions: bytes  # times that this bar's values have changed since it closed
    bars: bytes
    values: bytes  # (bars, columns)


class Signals(msgspec.Struct, frozen=True, array_like=True, tag="signals"):
    """Message of SIGNALS_TOPIC: scored signals as JSON documents."""

    kind: int
    series: list[str]
    sequences: bytes  # int64 each
    opened_at: bytes
    documents: list[bytes]


class LateTrades(msgspec.Struct, frozen=True, array_like=True, tag="late"):
    """Message of LATE_TOPIC: TRADE rows that no candle took, and why."""

    exchange: str
    symbols: list[str]
    records: bytes
    reasons: list[str]


OutputMessage = Candles | Indicators | Signals | LateTrades
_encoder = msgspec.msgpack.Encoder()
_outputs: msgspec.msgpack.Decoder[OutputMessage] = msgspec.msgpack.Decoder(OutputMessage)


def encode(message: OutputMessage) -> bytes:
    """Write a message; equal messages give equal bytes."""
    return _encoder.encode(message)


def decode(payload: bytes) -> OutputMessage:
    """Read a message of one of the engine's topics."""
    return _outputs.decode(payload)


class StoredSignal(msgspec.Struct, frozen=True, array_like=True):
    """Member of `signals_key`."""

    sequence: int
    opened_at: int
    document: bytes  # JSON


def indicators_document(
    columns: Sequence[str],
    converged: Sequence[int],
    stored: StoredIndicators,
    *,
    forming: bool = False,
    simulated: bool = False,
) -> dict[str, object]:
    """Write the indicators of one candle as people see them; `unconverged` names values that still depend on the start.

    >>> row = StoredIndicators(1, 0, 62, 0, 20, np.array([55.5, np.nan]).tobytes())
    >>> document = indicators_document(["rsi_14", "sma_50"], [266, 49], row)
    >>> document["values"], document["unconverged"]
    ({'rsi_14': 55.5, 'sma_50': None}, ['rsi_14'])
    """
    values = [None if value != value else value for value in np.frombuffer(stored.values).tolist()]  # noqa: PLR0124 - NaN
    warming = [
        name for name, bars, v in zip(columns, converged, values, strict=True) if v is not None and stored.bars < bars
    ]
    return {
        "opened_at": stored.opened_at,
        "known_at": stored.known_at,
        "revision": stored.revision,
        "bars": stored.bars,
        "values": dict(zip(columns, values, strict=True)),
        "unconverged": warming,
        "forming": forming,
        "simulated": simulated,
    }


def candle_document(row: np.void, *, forming: bool = False, simulated: bool = False) -> dict[str, object]:
    """Write one CANDLE row as people see it: amounts as decimal strings, times in microseconds.

    >>> from ingestion.market import CANDLE
    >>> row = np.zeros(1, CANDLE)[0]
    >>> row["open"], row["price_scale"] = 2745150, 2
    >>> candle_document(row)["open"]
    '27451.5'
    """
    price, quantity = int(row["price_scale"]), int(row["quantity_scale"])
    quote = (int(row["quote_high"]) << 64) + int(row["quote_low"])
    volume = int(row["volume"])
    return {
        "opened_at": int(row["opened_at"]),
        "known_at": int(row["known_at"]),
        **{name: decimal_text(int(row[name]), price) for name in ("open", "high", "low", "close")},
        "volume": decimal_text(volume, quantity),
        "quote_volume": decimal_text(quote, price + quantity),
        "taker_buy_volume": decimal_text(int(row["taker_buy_volume"]), quantity),
        "vwap": decimal_text((quote * 200 + volume) // (2 * volume), price + 2) if volume else None,
        "trade_count": int(row["trade_count"]),
        "first_trade_id": trade_id_text(int(row["first_id_high"]), int(row["first_id_low"])),
        "last_trade_id": trade_id_text(int(row["last_id_high"]), int(row["last_id_low"])),
        "quality": QUALITIES[int(row["quality"])].value,
        "revision": int(row["revision"]),
        "forming": forming,
        "simulated": simulated,
    }


def candle_hash(series: Series, row: np.void) -> str:
    """Name one revision of one candle by its content: SHA-256 over the series and its document."""
    document = candle_document(row)
    return hashlib.sha256(msgspec.json.encode([str(series), document])).hexdigest()
