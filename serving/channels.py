"""The names people subscribe to: `ohlcv.BTCUSDT.1m`, `indicators.binance:BTC-USDT`, `signals.ETH/USDT.1h`.

Without an exchange the composite is meant, without a timeframe 1m, as in REST.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from infra.errors import InputError
from ingestion.market import COMPOSITE, Series, Symbol, Timeframe
from realtime.outputs.names import (
    candles_channel,
    candles_key,
    indicators_channel,
    indicators_key,
    signals_channel,
    signals_key,
)
from realtime.outputs.stored import KEPT_CANDLES, KEPT_INDICATORS, KEPT_SIGNALS


class Topic(StrEnum):
    """The first part of a channel's name: what it carries."""

    CANDLES = "ohlcv"
    INDICATORS = "indicators"
    SIGNALS = "signals"


_LONGEST = 64  # characters of any name of a channel or symbol; bounds what is remembered of a client
_NAME = re.compile(r"[A-Za-z0-9:._/-]+")  # goes into messages as it was spelled
_PUBLISHED = {
    Topic.CANDLES: (candles_channel, candles_key, KEPT_CANDLES),
    Topic.INDICATORS: (indicators_channel, indicators_key, KEPT_INDICATORS),
    Topic.SIGNALS: (signals_channel, signals_key, KEPT_SIGNALS),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One stream of updates.

    >>> str(Channel.parse("ohlcv.BTCUSDT.5m")), str(Channel.parse("signals.okx:ETH/USDT:USDT"))
    ('ohlcv.composite:BTC-USDT.5m', 'signals.okx:ETH-USDT-PERP.1m')
    """

    topic: Topic
    series: Series

    @classmethod
    def parse(cls, text: str) -> "Channel":
        """Read a channel's name as people spell it. Raises InputError that says what is wrong."""
        if len(text) > _LONGEST:
            raise InputError(f"not a channel: longer than {_LONGEST} characters")
        name, dot, rest = text.partition(".")
        if not dot or not _NAME.fullmatch(text):
            raise InputError(f"not a channel: {text!r}; write ohlcv.BTCUSDT.1m, indicators.BTCUSDT or signals.BTCUSDT")
        if name == "structure":
            raise InputError(f"{text!r}: market structure is not published yet; there are ohlcv, indicators, signals")
        if name not in set(Topic):
            raise InputError(f"unknown topic {name!r}; there are ohlcv, indicators, signals")
        where, _, last = rest.rpartition(".")
        symbol, timeframe = (where, last) if where else (rest, "1m")
        try:
            return cls(Topic(name), series(symbol, timeframe))
        except InputError as error:
            personal = "; signals of one user are signals.{userId}" if name == "signals" else ""
            raise InputError(f"{text!r}: {error}{personal}") from error

    @property
    def published(self) -> str:
        """The pub/sub channel of Redis on which the engine publishes."""
        return _PUBLISHED[self.topic][0](self.series)

    @property
    def history(self) -> str:
        """Redis' sorted set of the newest rows."""
        return _PUBLISHED[self.topic][1](self.series)

    @property
    def capacity(self) -> int:
        """How many rows the history holds at most."""
        return _PUBLISHED[self.topic][2]

    def __str__(self) -> str:
        return f"{self.topic}.{self.series}"


def series(symbol: str, timeframe: str = "1m", exchange: str | None = None) -> Series:
    """Read `BTCUSDT`, `BTC/USDT` or `binance:BTC-USDT`. Raises InputError."""
    if len(symbol) > _LONGEST:
        raise InputError(f"not a symbol: longer than {_LONGEST} characters")
    named, colon, rest = symbol.partition(":")
    if colon and rest.upper() != "USDT":  # BTC/USDT:USDT is how ccxt spells a perpetual
        if exchange is not None and exchange != named.lower():
            raise InputError(f"two exchanges are named: {named.lower()} in the symbol, {exchange} beside it")
        exchange, symbol = named.lower(), rest
    if timeframe not in set(Timeframe):
        raise InputError(f"unknown timeframe {timeframe!r}; there are {', '.join(Timeframe)}")
    exchange = exchange or COMPOSITE
    if not (exchange.isascii() and exchange.replace("_", "").isalnum()):
        raise InputError(f"not an exchange: {exchange!r}")
    return Series(exchange, Symbol.parse(symbol), Timeframe(timeframe))
