"""What faults do to frames on their way to a client."""

import asyncio
from collections.abc import Iterable

from ingestion.simulator.connection import Client
from ingestion.simulator.dialect import Connection, Dialect, Publication
from ingestion.simulator.faults import Fault, FaultKind, Faults
from ingestion.simulator.frame import frame
from ingestion.simulator.listing import Listing

BAD_PRICES = (b'"0"', b'"-1"', b'"NaN"', b'"1e400"')
HUGE = b'{"huge":"' + b"x" * (9 << 20) + b'"}'


class Outgoing:
    """Delivers publications of one exchange to its subscribers, through the faults."""

    def __init__(self, exchange: Dialect, faults: Faults) -> None:
        """Deliver for this exchange."""
        self.exchange, self._faults = exchange, faults
        self._held: dict[str, bytes] = {}
        self._old: dict[str, bytes] = {}
        self._bad = 0

    def deliver(self, listing: Listing, publications: Iterable[Publication]) -> None:
        """Send each frame to whoever subscribed to its stream."""
        for key, text in publications:
            market = self.exchange.market(listing, key)
            subscribers = self.exchange.subscribers.get((market, key))
            if not subscribers:
                continue
            payloads = [text.encode()]
            if self._faults.active or self._held:
                payloads = self._through(listing, market, key, payloads[0])
            for payload in payloads:
                _to_all(subscribers, key, payload)

    def _through(self, listing: Listing, market: str, key: str, text: bytes) -> list[bytes]:
        """Return what really goes out for one frame."""
        if self._hit(FaultKind.STALL_STREAM, listing) or self._hit(FaultKind.DROP, listing):
            return []
        if (late := self._hit(FaultKind.LATE, listing)) is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(late.milliseconds / 1000, self._late, market, key, text)
            return []
        if key not in self._held and self._hit(FaultKind.REORDER, listing):
            self._held[key] = text
            return []
        out = self._spoiled(listing, text)
        if self._old.setdefault(key, text) is not text and self._hit(FaultKind.STALE, listing):
            out.append(self._old[key])
        if (earlier := self._held.pop(key, None)) is not None:
            out.append(earlier)
        return out

    def _spoiled(self, listing: Listing, text: bytes) -> list[bytes]:
        """Return a right frame and the wrong ones that follow or replace it."""
        out, right = [], True
        symbol = listing.exchange_symbol.encode()
        if self._hit(FaultKind.DUPLICATE, listing):
            out.append(text)
        if fault := self._hit(FaultKind.WRONG_SYMBOL, listing):
            out.append(text.replace(symbol, b"WRONG" + symbol))
            right &= not fault.instead
        price_field = self.exchange.price_field
        if price_field in text and (fault := self._hit(FaultKind.BAD_PRICE, listing)):
            self._bad += 1
            out.append(_with_price(text, price_field, BAD_PRICES[self._bad % len(BAD_PRICES)]))
            right &= not fault.instead
        if fault := self._hit(FaultKind.TRUNCATED, listing):
            out.append(text[: len(text) // 2] + b"\xff\xfe")
            right &= not fault.instead
        if fault := self._hit(FaultKind.HUGE_FRAME, listing):
            out.append(HUGE)
            right &= not fault.instead
        return [text, *out] if right else out

    def _hit(self, kind: FaultKind, listing: Listing) -> Fault | None:
        return self._faults.hit(kind, self.exchange.name, listing.symbol)

    def _late(self, market: str, key: str, text: bytes) -> None:
        _to_all(self.exchange.subscribers.get((market, key), ()), key, text)


def _to_all(subscribers: Iterable[Connection], key: str, payload: bytes) -> None:
    wire_frame = frame(payload)
    for client in tuple(subscribers):
        if isinstance(client, Client):
            client.publish(key, payload, wire_frame)


def _with_price(text: bytes, field: bytes, price: bytes) -> bytes:
    """Replace the price of a trade frame.

    >>> _with_price(b'{"p":"1.5","q":"2"}', b'"p":', b'"0"')
    b'{"p":"0","q":"2"}'
    """
    before, _, after = text.partition(field)
    return before + field + price + after[after.index(b'"', 1) + 1 :]
