"""What one exchange is to the rest of the platform. Each is a file or folder in `exchanges/`, found by listing it.

Everything exchange-specific is class data or a small method here; sockets, retries, gaps and limits live in
`ingestion/streams`, which knows no exchange by name.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ingestion.market import TRADE, Instrument, Symbol, Timeframe

Rows = npt.NDArray[np.void]
Operation = Literal["subscribe", "unsubscribe"]


class Channel(StrEnum):
    """What can be subscribed to for a symbol."""

    TRADES = "trades"
    KLINES = "klines"  # the exchange's own 1m candles
    FUNDING = "funding"  # perpetuals only


class Subscription(NamedTuple):
    """One stream of one symbol."""

    channel: Channel
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class Limits:
    """What the exchange allows one client; sources stand in each exchange's file."""

    streams_per_connection: int
    streams_per_message: int  # subscriptions in one request
    messages_per_second: float  # sent by us on one connection, pings included
    connections_per_window: int
    window_seconds: float
    weight_per_minute: int  # REST budget in the exchange's own weights
    weight_burst: float = 60.0  # of it at once
    weight_per_endpoint: bool = False  # each path has a budget of its own
    lifetime_seconds: float | None = None  # after which the exchange cuts the connection
    frame_bytes: int = 8 << 20


class Fees(NamedTuple):
    """Published fees of the lowest tier in basis points, without discounts for holding the exchange's own coin."""

    spot_maker: float
    spot_taker: float
    perpetual_maker: float
    perpetual_taker: float


@dataclass(frozen=True, slots=True)
class Example:
    """A frame with one trade as the exchange sends it, and what it says. Contract tests start from it.

    `price` stands in the frame exactly as it is written here.
    """

    frame: bytes
    symbol: str  # as the exchange spells it
    traded_at: int  # microseconds
    trade_id: str
    price: str
    quantity: str  # in base units
    taker_buys: bool
    count: int = 1


class ExchangeCandle(NamedTuple):
    """One of the exchange's own closed 1m candles."""

    exchange_symbol: str
    candle: Rows  # one CANDLE row


class ExchangeFunding(NamedTuple):
    """A funding rate as the exchange says it."""

    exchange_symbol: str
    funded_at: int
    rate: str
    known_at: int


class Rejected(NamedTuple):
    """A frame, or a record in it, that could not be used."""

    frame: int  # index into the frames of the batch
    reason: str


@dataclass(slots=True)
class Decoded:
    """What a batch of frames said. `trades` are TRADE rows; their `symbol` indexes `symbols` (exchange symbols)."""

    trades: Rows = field(default_factory=lambda: np.empty(0, TRADE))
    symbols: list[str] = field(default_factory=list)
    candles: list[ExchangeCandle] = field(default_factory=list)
    funding: list[ExchangeFunding] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)  # request ids that succeeded
    refused: list[tuple[str, str]] = field(default_factory=list)  # (request id or "", what the exchange said)
    pongs: int = 0
    clock: int = 0  # latest exchange time in any frame, microseconds; 0 if none
    rejected: list[Rejected] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)  # maintenance and shutdown notices, as the exchange words them

    def advance(self, at: int) -> None:
        """Move the clock to an exchange time, never back."""
        self.clock = max(self.clock, at)

    def reject(self, frame: int, error: Exception) -> None:
        """Leave out a frame or a record of it. What the error says may quote the frame, which may be huge."""
        self.rejected.append(Rejected(frame, str(error)[:200]))


class Rest(Protocol):
    """A REST client that obeys the exchange's budget; bodies are returned undecoded."""

    async def get(self, path: str, parameters: dict[str, Any], *, weight: float) -> bytes:
        """Return the body of an answer with status 200; `path` is a full URL. Raises UnavailableError."""
        ...


class Exchange(ABC):
    """One exchange, spot or USDT perpetuals as the symbol says."""

    name: ClassVar[str]
    limits: ClassVar[Limits]
    rest_url: ClassVar[str]
    fees: ClassVar[Fees]
    examples: ClassVar[tuple[Example, ...]]
    dense_trade_ids: ClassVar[bool]  # consecutive per symbol, so that a hole in them is a gap
    ping: ClassVar[bytes | None] = None  # what we send to keep the connection, None: WebSocket pings of the exchange
    ping_seconds: ClassVar[float] = 20.0
    funding_seconds: ClassVar[float] = 300.0  # funding rates come more often than this; inf: only when they change
    server_silence_seconds: ClassVar[float] = 60.0  # no frame at all for so long means the connection is dead

    def __init__(self, simulator_url: str | None = None) -> None:
        """Speak to the real exchange, or to the simulator at `simulator_url` (http://host:port)."""
        self.simulator_url = simulator_url

    def rest_host(self, host: str) -> str:
        """Return a REST host of this exchange, or the simulator that stands in for all of them."""
        return host if self.simulator_url is None else f"{self.simulator_url}/{self.name}"

    def socket_host(self, host: str, simulated_path: str = "") -> str:
        """Return a WebSocket host, or the simulator; the path there tells apart several hosts of one exchange."""
        if self.simulator_url is None:
            return host
        return f"ws{self.simulator_url.removeprefix('http')}/{self.name}{simulated_path}"

    @abstractmethod
    def socket_url(self, subscription: Subscription) -> str:
        """Return the WebSocket URL that serves this subscription; equal URLs may share a connection."""

    def subscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write one request for at most `limits.streams_per_message` subscriptions."""
        return self.request("subscribe", subscriptions, request_id)

    def unsubscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write the request that ends subscriptions."""
        return self.request("unsubscribe", subscriptions, request_id)

    @abstractmethod
    def request(self, operation: Operation, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write a request; the answer to it will name `request_id`."""

    def know(self, instrument: Instrument) -> None:  # noqa: B027 - most exchanges' frames say all there is to know
        """Hear of an instrument before its first frame comes."""

    @abstractmethod
    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read raw frames; never raises on what an exchange or an attacker may send: see `Decoded.rejected`."""

    @abstractmethod
    async def time(self, rest: Rest) -> int:
        """Return the exchange's clock in microseconds."""

    @abstractmethod
    async def instruments(self, rest: Rest) -> list[Instrument]:
        """Return all spot USDT symbols and USDT perpetuals."""

    @abstractmethod
    async def trades(self, rest: Rest, instrument: Instrument, *, after_id: int, since: int, until_id: int = 0) -> Rows:
        """Return TRADE rows (symbol 0) after trade `after_id` (0: unknown) or since the time `since`, oldest first.

        As far as the exchange keeps them and one call of this method may fetch; call again with the last id. Those
        after `until_id`, where it is known, may be left out.
        """

    @abstractmethod
    async def candles(
        self, rest: Rest, instrument: Instrument, timeframe: Timeframe, *, since: int, until: int
    ) -> Rows:
        """Return the exchange's closed candles (CANDLE rows) with since <= opened_at < until, oldest first."""

    @abstractmethod
    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates since a time, oldest first."""


def symbol_wanted(instrument: Instrument, symbols: Sequence[Symbol]) -> bool:
    """Whether an instrument trades and is one of these symbols; no symbols mean all."""
    return instrument.trading and (not symbols or instrument.symbol in symbols)


class Watched(Exchange):
    """An exchange whose sockets a library keeps open; its frames come from an iterator for each symbol."""

    @abstractmethod
    def watch(self, instrument: Instrument) -> AsyncIterator[bytes]:
        """Yield frames of trades without end. Raises UnavailableError when the connection is lost."""
