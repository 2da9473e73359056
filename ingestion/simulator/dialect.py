"""What the server needs from each exchange's dialect, and what dialects share."""

import json
import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol

from aiohttp import web

from ingestion.simulator.history import Past
from ingestion.simulator.limits import Allowance, ConnectionLimits
from ingestion.simulator.listing import Kline, Listing, Trade

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Publication = tuple[str, str]
"""The key of a stream, and the text of one frame on it."""
JSON = "application/json"
FUNDING_MS = 8 * 3_600_000


class Cost(NamedTuple):
    """What one REST request takes from which budget."""

    budget: str
    allowance: Allowance
    weight: int = 1


class Heartbeat(NamedTuple):
    """The server's ping frames: one each so many seconds, cut without a pong for so many."""

    every: float
    patience: float


class Connection(Protocol):
    """One WebSocket client, as a dialect sees it."""

    market: str
    address: str
    keys: set[str]
    limits: ConnectionLimits

    def send(self, text: str) -> None:
        """Queue a text frame."""

    def close(self, code: int, reason: str = "") -> None:
        """Close with a code."""


@dataclass
class Dialect(ABC):
    """One simulated exchange: its listings, its clock and who is subscribed to what."""

    listings: list[Listing]
    past: Past
    clock: Callable[[], int]  # milliseconds
    note: Callable[[str, str], None]  # of breaches
    subscribers: dict[tuple[str, str], set[Connection]] = field(default_factory=lambda: defaultdict(set))

    name: ClassVar[str]
    sockets: ClassVar[dict[str, str]]
    """Path of each WebSocket endpoint (after the prefix) -> market."""
    connects: ClassVar[Allowance]
    """New connections of an address."""
    messages: ClassVar[dict[str, Allowance]]
    """Messages of one connection, by market; see `counted`."""
    streams: ClassVar[dict[str, int]]
    """Streams of one connection, by market."""
    heartbeat: ClassVar[dict[str, Heartbeat]] = {}
    idle_seconds: ClassVar[float | None] = None
    """A connection on which neither side said anything for so long is closed."""
    idle_close: ClassVar[tuple[int, str]] = (1000, "")
    lifetime_seconds: ClassVar[float | None] = None
    share: ClassVar[float] = 0.2
    """How much trades here, beside the other exchanges' shares."""
    price_field: ClassVar[bytes] = b'"p":'
    """What stands before a trade's price."""
    streams_in_path: ClassVar[bool] = False
    """Clients may name streams behind the path of a socket, too."""
    weight_headers: ClassVar[tuple[str, ...]] = ()
    """Headers of REST answers that tell a client what it has used of its budget."""
    never_bans: ClassVar[str] = ""
    """Why the fault `banned` makes no sense here; empty where it does."""
    ban_after: ClassVar[int | None] = None
    """An address that goes over a limit again and again is banned after so many more breaches."""

    def __post_init__(self) -> None:
        """Index the listings."""
        self.by_symbol = {(listing.perpetual, listing.exchange_symbol): listing for listing in self.listings}

    @classmethod
    def spell(cls, base: str, *, perpetual: bool) -> str:  # noqa: ARG003 - most spell both markets alike
        """Return the exchange's own name of a base against USDT."""
        return f"{base}USDT"

    @classmethod
    def new_listing(cls, base: str, start_price: float, *, perpetual: bool) -> Listing:
        """Return a listing whose tick is about a ten-thousandth of its price, and whose lot is worth a few USDT."""
        return Listing(
            exchange=cls.name,
            base=base,
            perpetual=perpetual,
            exchange_symbol=cls.spell(base, perpetual=perpetual),
            price_scale=max(1, 4 - math.floor(math.log10(start_price))),
            lot_scale=max(0, min(5, math.floor(math.log10(start_price)) + 1)),
            start_price=start_price,
        )

    @abstractmethod
    def routes(self) -> dict[str, Handler]:
        """Return REST handlers by path (after the prefix), all GET."""

    @abstractmethod
    def receive(self, connection: Connection, text: str) -> None:
        """Answer one text frame of a client."""

    @abstractmethod
    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write trades that happened together; streams without subscribers may be left out."""

    @abstractmethod
    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write a 1m candle, forming or closed."""

    @abstractmethod
    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write the running funding rate of a perpetual."""

    @abstractmethod
    def market(self, listing: Listing, key: str) -> str:
        """Return the market whose sockets carry a stream of this listing."""

    @abstractmethod
    def cost(self, path: str, request: web.Request) -> Cost:
        """Return what a REST request costs."""

    @abstractmethod
    def refused(self, seconds: float, *, banned: bool) -> web.Response:
        """Return this exchange's answer to a client over its limits, free again after so many seconds."""

    @abstractmethod
    def wrong(self, parameter: str) -> web.HTTPException:
        """Return this exchange's answer to a parameter that it can not read."""

    def counted(self, text: str) -> bool:  # noqa: ARG002 - one exchange looks
        """Whether a text frame counts against `messages`."""
        return True

    @property
    def control_frames_count(self) -> bool:
        """Whether pings and pongs count against `messages`, too."""
        return False

    def over(self, what: str) -> None:
        """Note that a client went over a limit of this dialect's own."""
        self.note(self.name, what)

    def too_fast(self, connection: Connection) -> None:
        """Answer a message that is one too many."""
        connection.close(1008, "Too many requests")

    def subscribed(self, market: str, key: str) -> bool:
        """Whether a stream has subscribers."""
        return bool(self.subscribers.get((market, key)))

    def subscribe(self, connection: Connection, key: str) -> None:
        """Note a subscription."""
        connection.keys.add(key)
        self.subscribers[connection.market, key].add(connection)

    def unsubscribe(self, connection: Connection, key: str) -> None:
        """Forget a subscription."""
        connection.keys.discard(key)
        left = self.subscribers.get((connection.market, key))
        if left is not None:
            left.discard(connection)
            if not left:
                del self.subscribers[connection.market, key]

    def forget(self, connection: Connection) -> None:
        """Forget all of a connection that is gone."""
        for key in list(connection.keys):
            self.unsubscribe(connection, key)

    def integer(self, request: web.Request, name: str, default: int, *, most: int | None = None) -> int:
        """Return a parameter. Raises this exchange's own error if it is no whole number of at least 0."""
        text = request.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise self.wrong(name)
        return int(text) if most is None else min(int(text), most)

    def funding_times(self) -> tuple[int, int]:
        """Return the last and the next funding time, milliseconds: each 8 h."""
        last = self.clock() - self.clock() % FUNDING_MS
        return last, last + FUNDING_MS

    def past_fundings(self, since: int, until: int, limit: int) -> list[int]:
        """Return the newest funding times with since <= time <= until, oldest first."""
        last = min(until, self.clock()) // FUNDING_MS * FUNDING_MS
        return [at for at in range(last - (limit - 1) * FUNDING_MS, last + 1, FUNDING_MS) if at >= since]


def funding_rate(listing: Listing, at: int) -> str:
    """Return a small rate that depends on nothing but symbol and time."""
    spread = (sum(listing.base.encode()) * 7919 + at // FUNDING_MS * 104_729) % 400 - 150
    return f"{spread / 1_000_000:.8f}"


def dump(value: object) -> str:
    """Write compact JSON."""
    return json.dumps(value, separators=(",", ":"))
