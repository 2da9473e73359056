"""Binance's WebSocket side: spot (`/ws`, `/stream`) and USDT futures (`/fstream/ws`, `/fstream/stream`)."""

import json
from collections.abc import Iterable
from typing import ClassVar

from ingestion.simulator.dialect import Connection, Heartbeat, Publication, dump
from ingestion.simulator.dialects.binance.rest import BinanceRest
from ingestion.simulator.limits import Allowance
from ingestion.simulator.listing import MINUTE_MS, Aggregate, Kline, Listing, Trade


class BinanceDialect(BinanceRest):
    """Spot market `spot`, futures market `futures`; combined sockets wrap frames in `{"stream", "data"}`."""

    name = "binance"
    sockets: ClassVar[dict[str, str]] = {
        "/ws": "spot",
        "/stream/ws": "spot",  # ccxt takes a URL for spot only if it holds "/stream"
        "/stream": "spot+",
        "/fstream/ws": "futures",
        "/fstream/stream": "futures+",
        **{f"/fstream/{category}/ws": "futures" for category in ("public", "market")},
        **{f"/fstream/{category}/stream": "futures+" for category in ("public", "market")},
    }
    connects = Allowance(300, 300.0)
    messages: ClassVar[dict[str, Allowance]] = {"spot": Allowance(5, 1.0), "futures": Allowance(10, 1.0)}
    streams: ClassVar[dict[str, int]] = {"spot": 1024, "futures": 200}
    heartbeat: ClassVar[dict[str, Heartbeat]] = {"spot": Heartbeat(20.0, 60.0), "futures": Heartbeat(180.0, 600.0)}
    lifetime_seconds = 86_400.0
    share = 0.5
    streams_in_path = True
    weight_headers = ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M")
    ban_after = 10

    @property
    def control_frames_count(self) -> bool:
        """Pings and pongs are messages, too."""
        return True

    def market(self, listing: Listing, key: str) -> str:  # noqa: ARG002 - all streams of a listing share a market
        """Return spot or futures."""
        return "futures" if listing.perpetual else "spot"

    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write one `trade` a fill, and one `aggTrade` for the fills of a taker at one price."""
        low, market = listing.exchange_symbol.lower(), self.market(listing, "")
        singly, together = f"{low}@trade", f"{low}@aggTrade"
        if self.subscribed(market, singly):
            for t in trades:
                yield singly, self._event(listing, "trade", f'"t":{t.id}', t)
        if self.subscribed(market, together):
            size = len(listing.tape)
            for g in listing.tape.grouped(size - len(trades), size):
                yield together, self._event(listing, "aggTrade", f'"a":{g.id},"f":{g.first_id},"l":{g.last_id}', g)

    def _event(self, listing: Listing, kind: str, ids: str, t: Trade | Aggregate) -> str:
        more = ',"X":"MARKET"' if listing.perpetual and kind == "trade" else "" if listing.perpetual else ',"M":true'
        return (
            f'{{"e":"{kind}","E":{self.clock()},"s":"{listing.exchange_symbol}",{ids},"p":"{listing.price(t.price)}",'
            f'"q":"{listing.quantity(t.quantity)}","T":{t.at},"m":{"false" if t.taker_buys else "true"}{more}}}'
        )

    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write `kline`."""
        s = listing.exchange_symbol
        k = {
            "t": kline.opened_at,
            "T": kline.opened_at + MINUTE_MS - 1,
            "s": s,
            "i": "1m",
            "f": kline.first_id,
            "L": kline.last_id,
            "o": listing.price(kline.open),
            "c": listing.price(kline.close),
            "h": listing.price(kline.high),
            "l": listing.price(kline.low),
            "v": listing.quantity(kline.volume),
            "n": kline.count,
            "x": closed,
            "q": listing.quote(kline.quote),
            "V": listing.quantity(kline.taker_buy_volume),
            "Q": listing.quote(kline.taker_buy_quote),
            "B": "0",
        }
        yield f"{s.lower()}@kline_1m", dump({"e": "kline", "E": self.clock(), "s": s, "k": k})

    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write `markPriceUpdate`."""
        kline = listing.tape[len(listing.tape) - 1]
        price, s = listing.price(kline.price), listing.exchange_symbol
        event = {"e": "markPriceUpdate", "E": self.clock(), "s": s, "p": price, "i": price, "P": price, "r": rate}
        for key in (f"{s.lower()}@markPrice", f"{s.lower()}@markPrice@1s"):
            yield key, dump({**event, "T": funded_at})

    def receive(self, connection: Connection, text: str) -> None:
        """Answer SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        try:
            request = json.loads(text)
            method, keys, identity = request["method"], request.get("params") or [], request.get("id")
        except (ValueError, KeyError, TypeError):
            connection.send(dump({"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}))
            return
        if method == "LIST_SUBSCRIPTIONS":
            connection.send(dump({"result": sorted(connection.keys), "id": identity}))
            return
        if method not in {"SUBSCRIBE", "UNSUBSCRIBE"} or not all(isinstance(key, str) for key in keys):
            connection.send(dump({"error": {"code": 2, "msg": "Invalid request"}, "id": identity}))
            return
        if method == "SUBSCRIBE" and len(connection.keys.union(keys)) > connection.limits.streams:
            self.over("streams")
            connection.close(1008, "Too many streams")
            return
        for key in keys:
            (self.subscribe if method == "SUBSCRIBE" else self.unsubscribe)(connection, key)
        connection.send(dump({"result": None, "id": identity}))
