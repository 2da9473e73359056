"""Bybit v5's WebSocket side: `/v5/public/spot` and `/v5/public/linear`."""

import json
from collections.abc import Iterable
from typing import ClassVar

from ingestion.simulator.dialect import Connection, Publication, dump
from ingestion.simulator.dialects.bybit.rest import BybitRest, execution_id, sequence
from ingestion.simulator.limits import Allowance
from ingestion.simulator.listing import MINUTE_MS, Kline, Listing, Trade

SPOT_ARGUMENTS = 10
CONNECTION = "sim0racs6os0aqs8m1fg-1x"
MOST_TOPIC_CHARACTERS = 21_000
CHANNELS = ("publicTrade", "kline", "tickers")


class BybitDialect(BybitRest):
    """Markets are the categories `spot` and `linear`."""

    name = "bybit"
    sockets: ClassVar[dict[str, str]] = {"/v5/public/spot": "spot", "/v5/public/linear": "linear"}
    connects = Allowance(500, 300.0)
    messages: ClassVar[dict[str, Allowance]] = {"spot": Allowance(500, 1.0), "linear": Allowance(500, 1.0)}
    streams: ClassVar[dict[str, int]] = {"spot": 2000, "linear": 2000}
    idle_seconds = 600.0
    share = 0.28

    def market(self, listing: Listing, key: str) -> str:  # noqa: ARG002 - all streams of a listing share a category
        """Return the category."""
        return "linear" if listing.perpetual else "spot"

    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write one `publicTrade` frame for trades that happened together."""
        s, topic = listing.exchange_symbol, f"publicTrade.{listing.exchange_symbol}"
        if not self.subscribed(self.market(listing, topic), topic):
            return
        rows = ",".join(
            f'{{"T":{t.at},"s":"{s}","S":"{"Buy" if t.taker_buys else "Sell"}","v":"{listing.quantity(t.quantity)}",'
            f'"p":"{listing.price(t.price)}","L":"PlusTick","i":"{execution_id(listing, t)}",'
            f'"BT":false,"seq":{sequence(t)}}}'
            for t in trades
        )
        yield topic, f'{{"topic":"{topic}","type":"snapshot","ts":{self.clock()},"data":[{rows}]}}'

    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write `kline.1`."""
        topic = f"kline.1.{listing.exchange_symbol}"
        row = {
            "start": kline.opened_at,
            "end": kline.opened_at + MINUTE_MS - 1,
            "interval": "1",
            "open": listing.price(kline.open),
            "close": listing.price(kline.close),
            "high": listing.price(kline.high),
            "low": listing.price(kline.low),
            "volume": listing.quantity(kline.volume),
            "turnover": listing.quote(kline.quote),
            "confirm": closed,
            "timestamp": self.clock(),
        }
        yield topic, dump({"topic": topic, "data": [row], "ts": self.clock(), "type": "snapshot"})

    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write `tickers`."""
        topic = f"tickers.{listing.exchange_symbol}"
        price = listing.price(listing.tape[len(listing.tape) - 1].price)
        data = {
            "symbol": listing.exchange_symbol,
            "lastPrice": price,
            "markPrice": price,
            "indexPrice": price,
            "fundingRate": rate,
            "nextFundingTime": str(funded_at),
        }
        yield topic, dump({"topic": topic, "type": "snapshot", "data": data, "cs": self.clock(), "ts": self.clock()})

    def receive(self, connection: Connection, text: str) -> None:
        """Answer subscribe, unsubscribe and ping."""
        try:
            request = json.loads(text)
            operation = request["op"]
        except (ValueError, KeyError, TypeError):
            connection.send(dump({"success": False, "ret_msg": "Invalid json", "conn_id": CONNECTION, "op": ""}))
            return
        identity, topics = request.get("req_id", ""), request.get("args") or []
        head = {"conn_id": CONNECTION, "req_id": identity, "op": operation}
        if operation == "ping":
            connection.send(dump({"success": True, "ret_msg": "pong", **head}))
            return
        wrong = [t for t in topics if not isinstance(t, str) or self._unknown(connection, t)]
        if operation not in {"subscribe", "unsubscribe"}:
            message = f"Invalid op: {operation}"
        elif wrong:
            message = f"Invalid topic: {wrong[0]}"
        elif connection.market == "spot" and len(topics) > SPOT_ARGUMENTS:
            message = "args size >10"
        elif operation == "subscribe" and sum(map(len, connection.keys.union(topics))) > MOST_TOPIC_CHARACTERS:
            self.over("streams")
            message = "args length exceed the limit"
        else:
            for topic in topics:
                (self.subscribe if operation == "subscribe" else self.unsubscribe)(connection, topic)
            message = ""
        connection.send(dump({"success": not message, "ret_msg": message, **head}))

    def _unknown(self, connection: Connection, topic: str) -> bool:
        channel, _, rest = topic.partition(".")
        known = (connection.market == "linear", rest.rpartition(".")[2]) in self.by_symbol
        return channel not in CHANNELS or not known
