"""OKX v5's WebSocket side: `/ws/v5/public`, and `/ws/v5/business` for candles and all single trades."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from ingestion.simulator.dialect import Connection, Publication, dump
from ingestion.simulator.dialects.okx.rest import OkxRest, candle
from ingestion.simulator.limits import Allowance
from ingestion.simulator.listing import Kline, Listing, Trade

CHANNELS = {"trades": "public", "funding-rate": "public", "trades-all": "business", "candle1m": "business"}
CONTRACTS = ((10_000, "0.01"), (1_000, "0.1"), (0, "1"))
"""Base units in a contract by the price that the base is above."""
CONNECTION = "51mu1ad0"
PER_HOUR = Allowance(480, 3600.0)


class OkxDialect(OkxRest):
    """Candles live on the `business` socket, everything else on `public`."""

    name = "okx"
    sockets: ClassVar[dict[str, str]] = {"/ws/v5/public": "public", "/ws/v5/business": "business"}

    connects = Allowance(3, 1.0)
    messages: ClassVar[dict[str, Allowance]] = {"public": PER_HOUR, "business": PER_HOUR}
    streams: ClassVar[dict[str, int]] = {"public": 10_000, "business": 10_000}
    idle_seconds = 30.0
    idle_close = (4004, "No data received in 30s")
    share = 0.22
    price_field = b'"px":'
    never_bans = "OKX bans no address; it goes on answering 429 with code 50011 (too_many)"

    @classmethod
    def spell(cls, base: str, *, perpetual: bool) -> str:
        """Return an instrument id, which names its kind."""
        return f"{base}-USDT-SWAP" if perpetual else f"{base}-USDT"

    @classmethod
    def new_listing(cls, base: str, start_price: float, *, perpetual: bool) -> Listing:
        """Return a listing; swaps trade in whole contracts, which are the smaller the dearer the base is."""
        listing = super().new_listing(base, start_price, perpetual=perpetual)
        if not perpetual:
            return listing
        contract = next(size for above, size in CONTRACTS if start_price > above)
        return replace(listing, lot_scale=0, contract=contract)

    def counted(self, text: str) -> bool:
        """Subscribe, unsubscribe and login count; a ping does not."""
        return text != "ping"

    def too_fast(self, connection: Connection) -> None:
        """Answer an error and go on."""
        wrong = {"event": "error", "code": "60014", "msg": "Requests too frequent", "connId": CONNECTION}
        connection.send(dump(wrong))

    def market(self, listing: Listing, key: str) -> str:  # noqa: ARG002 - spot and swaps share sockets
        """Return the socket that carries a channel."""
        return CHANNELS.get(key.partition(":")[0], "")

    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write one `trades` frame for the fills of a taker at one price, and one `trades-all` a fill."""
        symbol = listing.exchange_symbol
        together, singly = f"trades:{symbol}", f"trades-all:{symbol}"
        if self.subscribed("public", together):
            size = len(listing.tape)
            for g in listing.tape.grouped(size - len(trades), size):
                count = g.last_id - g.first_id + 1
                fill = Trade(g.last_id, g.at, g.price, g.quantity, g.taker_buys)
                yield together, _trade_frame(listing, "trades", fill, f',"count":"{count}"')
        if self.subscribed("business", singly):
            for t in trades:
                yield singly, _trade_frame(listing, "trades-all", t, "")

    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write `candle1m`."""
        symbol = listing.exchange_symbol
        yield (
            f"candle1m:{symbol}",
            dump({"arg": {"channel": "candle1m", "instId": symbol}, "data": [candle(listing, kline, closed=closed)]}),
        )

    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write `funding-rate`."""
        symbol = listing.exchange_symbol
        row = {
            "instType": "SWAP",
            "instId": symbol,
            "fundingRate": rate,
            "fundingTime": str(funded_at),
            "nextFundingRate": "",
            "nextFundingTime": str(funded_at + 28_800_000),
            "ts": str(self.clock()),
        }
        yield f"funding-rate:{symbol}", dump({"arg": {"channel": "funding-rate", "instId": symbol}, "data": [row]})

    def receive(self, connection: Connection, text: str) -> None:
        """Answer subscribe, unsubscribe and the text ping."""
        if text == "ping":
            connection.send("pong")
            return
        try:
            request = json.loads(text)
            operation, arguments = request["op"], request["args"]
            channels = [(argument["channel"], argument.get("instId", "")) for argument in arguments]
        except (ValueError, KeyError, TypeError):
            wrong = {"event": "error", "code": "60012", "msg": f"Invalid request: {text[:100]}", "connId": CONNECTION}
            connection.send(dump(wrong))
            return
        identity = {"id": request["id"]} if "id" in request else {}
        for channel, instrument in channels:
            known = instrument in self.by_id and CHANNELS.get(channel) == connection.market
            if operation not in {"subscribe", "unsubscribe"} or not known:
                message = (
                    f"Wrong URL or channel:{channel},instId:{instrument} doesn't exist. Please use the correct URL"
                )
                wrong = {"event": "error", "code": "60018", "msg": message, "connId": CONNECTION}
                connection.send(dump({**identity, **wrong}))
                continue
            do = self.subscribe if operation == "subscribe" else self.unsubscribe
            do(connection, f"{channel}:{instrument}")
            argument = {"channel": channel, "instId": instrument}
            connection.send(dump({**identity, "event": operation, "arg": argument, "connId": CONNECTION}))


def _trade_frame(listing: Listing, channel: str, t: Trade, more: str) -> str:
    symbol = listing.exchange_symbol
    return (
        f'{{"arg":{{"channel":"{channel}","instId":"{symbol}"}},"data":[{{"instId":"{symbol}","tradeId":"{t.id}",'
        f'"px":"{listing.price(t.price)}","sz":"{listing.quantity(t.quantity)}",'
        f'"side":"{"buy" if t.taker_buys else "sell"}","ts":"{t.at}"{more},"source":"0"}}]}}'
    )
