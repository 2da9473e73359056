"""Messages of the engine: the head of each pub/sub payload, and what stands on its topics of the event log.

A pub/sub payload is ready to be sent to people: a fixed head that servers act upon, then JSON that they pass on
unread. Only closed candles and their revisions (with indicators and signals) have a sequence of their own; a forming
update repeats the sequence of the last closed one, and a newer one replaces it.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

import msgspec


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


class Candles(msgspec.Struct, frozen=True, array_like=True, tag="candles"):
    """Message of CANDLES_TOPIC: candles that closed together, or their revisions; rows are CANDLE."""

    kind: int  # Kind
    series: list[str]
    sequences: bytes  # int64 each
    rows: bytes


class Indicators(msgspec.Struct, frozen=True, array_like=True, tag="indicators"):
    """Message of INDICATORS_TOPIC: one row of `columns` float64 per bar; a revision has all bars that it changes."""

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
