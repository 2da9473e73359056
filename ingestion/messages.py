"""What ingestion writes to the event log: the contract of `market-trades` and `dead-letter`.

One message is one msgpack array whose first element names its kind. A message of trades holds many records, so that
the log carries few messages; its `clock` moves the watermark of its exchange, with or without trades.
"""

import msgspec
import numpy as np
import numpy.typing as npt

from ingestion.market import TRADE, Symbol

Rows = npt.NDArray[np.void]

TRADES_TOPIC = "market-trades"
DEAD_LETTER_TOPIC = "dead-letter"


class Trades(msgspec.Struct, frozen=True, array_like=True, tag="trades"):
    """Trades of one exchange; `records` is TRADE rows whose `symbol` indexes `symbols`. None: only the clock moved."""

    exchange: str
    clock: int  # the exchange's time, at least the latest traded_at of all its symbols
    symbols: list[str]
    records: bytes

    def rows(self) -> Rows:
        """View the records without copying, read-only."""
        return np.frombuffer(self.records, TRADE)


class Gap(msgspec.Struct, frozen=True, array_like=True, tag="gap"):
    """Trades between two times that are known to be missing, then found again (`healed`) or not (`lost`)."""

    exchange: str
    symbol: str
    status: str  # open, healed, lost
    from_at: int  # the last trade before
    to_at: int  # the first trade after
    first_id: int  # first missing trade id, 0 where ids have no order
    last_id: int
    reason: str


class History(msgspec.Struct, frozen=True, array_like=True, tag="history"):
    """An exchange's own closed candles, by exchange, to warm up with; values are CANDLE rows sorted by opened_at."""

    symbol: str
    timeframe: str
    candles: dict[str, bytes]


class Coverage(msgspec.Struct, frozen=True, array_like=True, tag="coverage"):
    """From `since` on every trade of a symbol is known: the minute in which we came has been fetched whole."""

    exchange: str
    symbol: str
    since: int


class Funding(msgspec.Struct, frozen=True, array_like=True, tag="funding"):
    """A funding rate of a perpetual, as a decimal string."""

    exchange: str
    symbol: str
    funded_at: int
    rate: str
    known_at: int


class Audit(msgspec.Struct, frozen=True, array_like=True, tag="audit"):
    """One closed 1m candle as the exchange published it; `candle` is one CANDLE row to compare ours with."""

    exchange: str
    symbol: str
    candle: bytes


MarketMessage = Trades | Gap | History | Coverage | Funding | Audit


class DeadLetter(msgspec.Struct, frozen=True, array_like=True):
    """Input that could not be used, as it came, with the reason."""

    exchange: str
    received_at: int
    reason: str
    payload: bytes


_encoder = msgspec.msgpack.Encoder()
_market: msgspec.msgpack.Decoder[MarketMessage] = msgspec.msgpack.Decoder(MarketMessage)
_letters: msgspec.msgpack.Decoder[DeadLetter] = msgspec.msgpack.Decoder(DeadLetter)


def encode(message: MarketMessage | DeadLetter) -> bytes:
    """Write a message; equal messages give equal bytes."""
    return _encoder.encode(message)


def decode_market(payload: bytes) -> MarketMessage:
    """Read a message of `market-trades`. Raises msgspec.ValidationError."""
    return _market.decode(payload)


def decode_dead_letter(payload: bytes) -> DeadLetter:
    """Read a message of `dead-letter`."""
    return _letters.decode(payload)


def partition_of(symbol: Symbol, partitions: int) -> int:
    """Return the partition that holds all of a symbol's messages, of whichever exchange.

    >>> partition_of(Symbol.parse("BTC-USDT"), 1)
    0
    """
    return int.from_bytes(symbol.base.encode(), "big") % 65_521 % partitions
