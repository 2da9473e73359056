"""What faults do to frames on their way to a client."""

import asyncio
from collections.abc import Iterable

from ingestion.simulator.connection import Client
from ingestion.simulator.dialect import Exchange, Publication
from ingestion.simulator.faults import Fault, Faults, Kind
from ingestion.simulator.listing import Listing

BAD_PRICES = ('"0"', '"-1"', '"NaN"', '"1e400"')
HUGE = 9 << 20


class Outgoing:
    """Delivers publications of one exchange to its subscribers, through the faults."""

    def __init__(self, exchange: Exchange, faults: Faults) -> None:
        """Deliver for this exchange."""
        self.exchange, self._faults = exchange, faults
        self._held: tuple[str, str] | None = None
        self._old: tuple[str, str] | None = None
        self._bad = 0

    def deliver(self, listing: Listing, publications: Iterable[Publication]) -> None:
        """Send each frame to whoever subscribed to its stream."""
        for key, text in publications:
            subscribers = self.exchange.subscribers.get((self.exchange.market(listing, key), key))
            if not subscribers:
                continue
            if not self._faults.active:
                for client in tuple(subscribers):
                    client.publish(key, text)  # type: ignore[attr-defined]  # ours are Clients
                continue
            for one in self._through(listing, key, text):
                self._to_all(subscribers, key, one)

    @staticmethod
    def _to_all(subscribers: Iterable[object], key: str, text: str | bytes) -> None:
        for client in tuple(subscribers):
            if not isinstance(client, Client):
                continue
            if isinstance(text, bytes):
                client.send(text)
            else:
                client.publish(key, text)

    def _through(self, listing: Listing, key: str, text: str) -> list[str | bytes]:
        """Return what really goes out for one frame."""
        if self._hit(Kind.STALL_STREAM, listing) or self._hit(Kind.DROP, listing):
            return []
        if (late := self._hit(Kind.LATE, listing)) is not None:
            asyncio.get_running_loop().call_later(late.milliseconds / 1000, self._late, listing, key, text)
            return []
        if self._held is None and self._hit(Kind.REORDER, listing):
            self._held = (key, text)
            return []
        out: list[str | bytes] = [text, *self._spoiled(listing, text)]
        if self._old is None:
            self._old = (key, text)
        elif self._old[0] == key and self._hit(Kind.STALE, listing):
            out.append(self._old[1])
        if self._held is not None and self._held[0] == key:
            out.append(self._held[1])
            self._held = None
        return out

    def _spoiled(self, listing: Listing, text: str) -> list[str | bytes]:
        """Return the wrong frames that follow a right one."""
        out: list[str | bytes] = []
        if self._hit(Kind.DUPLICATE, listing):
            out.append(text)
        if self._hit(Kind.WRONG_SYMBOL, listing):
            out.append(text.replace(listing.exchange_symbol, "WRONG" + listing.exchange_symbol))
        if self._hit(Kind.BAD_PRICE, listing):
            self._bad += 1
            out.append(_with_price(text, BAD_PRICES[self._bad % len(BAD_PRICES)]))
        if self._hit(Kind.TRUNCATED, listing):
            out.append(text[: len(text) // 2].encode() + b"\xff\xfe")
        if self._hit(Kind.HUGE_FRAME, listing):
            out.append(b'{"huge":"' + b"x" * HUGE + b'"}')
        return out

    def _hit(self, kind: Kind, listing: Listing) -> Fault | None:
        return self._faults.hit(kind, self.exchange.name, listing.symbol)

    def _late(self, listing: Listing, key: str, text: str) -> None:
        self._to_all(self.exchange.subscribers.get((self.exchange.market(listing, key), key), ()), key, text)


def _with_price(text: str, price: str) -> str:
    """Replace the price of a trade frame."""
    for name in ('"p":', '"px":'):
        before, found, after = text.partition(name)
        if found:
            return before + found + price + after[after.index('"', 1) + 1 :]
    return text
