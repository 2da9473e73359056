"""What the server needs from each exchange's dialect, and what dialects share."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from aiohttp import web

from ingestion.simulator.history import Past
from ingestion.simulator.limits import Limits
from ingestion.simulator.listing import Kline, Listing, Trade

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Publication = tuple[str, str]
"""The key of a stream, and the text of one frame on it."""


class Connection(Protocol):
    """One WebSocket client, as a dialect sees it."""

    market: str
    address: str
    keys: set[str]
    limits: Limits

    def send(self, text: str) -> None:
        """Queue a text frame."""

    def close(self, code: int, reason: str = "") -> None:
        """Close with a code."""


@dataclass
class Exchange(ABC):
    """One simulated exchange: its listings, its clock and who is subscribed to what."""

    listings: list[Listing]
    past: Past
    clock: Callable[[], int]  # milliseconds
    subscribers: dict[tuple[str, str], set[Connection]] = field(default_factory=lambda: defaultdict(set))

    name: ClassVar[str]
    sockets: ClassVar[dict[str, str]]
    """Path of each WebSocket endpoint (after the prefix) -> market."""

    def __post_init__(self) -> None:
        """Index the listings."""
        self.by_symbol = {(one.perpetual, one.exchange_symbol): one for one in self.listings}

    @abstractmethod
    def routes(self) -> dict[str, Handler]:
        """Return REST handlers by path (after the prefix), all GET."""

    @abstractmethod
    def receive(self, connection: Connection, text: str) -> None:
        """Answer one text frame of a client."""

    @abstractmethod
    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write trades that happened together."""

    @abstractmethod
    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write a 1m candle, forming or closed."""

    @abstractmethod
    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write the running funding rate of a perpetual."""

    @abstractmethod
    def market(self, listing: Listing, key: str) -> str:
        """Return the market whose sockets carry a stream of this listing."""

    def subscribe(self, connection: Connection, key: str) -> None:
        """Note a subscription."""
        connection.keys.add(key)
        self.subscribers[connection.market, key].add(connection)

    def unsubscribe(self, connection: Connection, key: str) -> None:
        """Forget a subscription."""
        connection.keys.discard(key)
        self.subscribers[connection.market, key].discard(connection)

    def forget(self, connection: Connection) -> None:
        """Forget all of a connection that is gone."""
        for key in list(connection.keys):
            self.unsubscribe(connection, key)

    def refused(self, request: web.Request, limited: float | None) -> web.Response | None:  # noqa: ARG002
        """Return this exchange's answer to a client over its limits (retry after seconds), or None."""
        if limited is None:
            return None
        return web.json_response({"msg": "too many requests"}, status=429, headers={"Retry-After": f"{limited:.0f}"})

    def funding_times(self) -> tuple[int, int]:
        """Return the last and the next funding time, milliseconds: each 8 h."""
        period = 8 * 3_600_000
        last = self.clock() - self.clock() % period
        return last, last + period


def funding_rate(listing: Listing, at: int) -> str:
    """Return a small rate that depends on nothing but symbol and time."""
    spread = (sum(listing.base.encode()) * 7919 + at // 28_800_000 * 104_729) % 400 - 150
    return f"{spread / 1_000_000:.8f}"
