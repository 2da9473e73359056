"""Bybit v5's side of the wire: `/v5/market/…`, `/v5/public/spot` and `/v5/public/linear`."""

import json
import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from aiohttp import web

from ingestion.simulator.dialect import Connection, Exchange, Handler, Publication, funding_rate
from ingestion.simulator.listing import Kline, Listing, Trade, fixed

INTERVALS = {"1": 1, "3": 3, "5": 5, "15": 15, "30": 30, "60": 60, "120": 120, "240": 240, "D": 1440}
MINUTE = 60_000
SPOT_ARGUMENTS = 10
NAMES = uuid.UUID("7b6ff0c1-8f0e-4d1e-9a3c-1f2d3c4b5a69")


class Bybit(Exchange):
    """Markets are the categories `spot` and `linear`."""

    name = "bybit"
    sockets: ClassVar[dict[str, str]] = {"/v5/public/spot": "spot", "/v5/public/linear": "linear"}

    def market(self, listing: Listing, key: str) -> str:  # noqa: ARG002
        """Return the category."""
        return "linear" if listing.perpetual else "spot"

    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write one `publicTrade` frame for trades that happened together."""
        s, topic = listing.exchange_symbol, f"publicTrade.{listing.exchange_symbol}"
        rows = ",".join(
            f'{{"T":{t.at},"s":"{s}","S":"{"Buy" if t.taker_buys else "Sell"}","v":"{listing.quantity(t.quantity)}",'
            f'"p":"{listing.price(t.price)}","L":"PlusTick","i":"{_id(listing, t)}","BT":false,"seq":{t.id}}}'
            for t in trades
        )
        yield topic, f'{{"topic":"{topic}","type":"snapshot","ts":{self.clock()},"data":[{rows}]}}'

    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write `kline.1`."""
        topic = f"kline.1.{listing.exchange_symbol}"
        row = {
            "start": kline.opened_at, "end": kline.opened_at + MINUTE - 1, "interval": "1",
            "open": listing.price(kline.open), "close": listing.price(kline.close), "high": listing.price(kline.high),
            "low": listing.price(kline.low), "volume": listing.quantity(kline.volume),
            "turnover": listing.quote(kline.quote), "confirm": closed, "timestamp": self.clock(),
        }  # fmt: skip
        yield topic, _dump({"topic": topic, "data": [row], "ts": self.clock(), "type": "snapshot"})

    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write `tickers`."""
        topic = f"tickers.{listing.exchange_symbol}"
        price = listing.price(listing.tape[len(listing.tape) - 1].price)
        data = {
            "symbol": listing.exchange_symbol, "lastPrice": price, "markPrice": price, "indexPrice": price,
            "fundingRate": rate, "nextFundingTime": str(funded_at),
        }  # fmt: skip
        yield topic, _dump({"topic": topic, "type": "snapshot", "data": data, "cs": self.clock(), "ts": self.clock()})

    def receive(self, connection: Connection, text: str) -> None:
        """Answer subscribe, unsubscribe and ping."""
        try:
            request = json.loads(text)
            operation = request["op"]
        except (ValueError, KeyError, TypeError):
            connection.send(_dump({"success": False, "ret_msg": "Invalid json", "conn_id": "sim", "op": ""}))
            return
        identity, topics = request.get("req_id", ""), request.get("args") or []
        head = {"conn_id": "sim", "req_id": identity, "op": operation}
        if operation == "ping":
            connection.send(_dump({"success": True, "ret_msg": "pong", **head}))
            return
        wrong = [t for t in topics if not isinstance(t, str) or self._unknown(connection, t)]
        if operation not in {"subscribe", "unsubscribe"}:
            message = f"Invalid op: {operation}"
        elif wrong:
            message = f"Invalid topic: {wrong[0]}"
        elif connection.market == "spot" and len(topics) > SPOT_ARGUMENTS:
            message = "args size >10"
        else:
            for topic in topics:
                (self.subscribe if operation == "subscribe" else self.unsubscribe)(connection, topic)
            message = ""
        connection.send(_dump({"success": not message, "ret_msg": message, **head}))

    def _unknown(self, connection: Connection, topic: str) -> bool:
        symbol = topic.rpartition(".")[2]
        return (connection.market == "linear", symbol) not in self.by_symbol

    def routes(self) -> dict[str, Handler]:
        """Return the REST paths."""
        handlers = {
            "/time": self._time, "/instruments-info": self._instruments, "/kline": self._klines,
            "/recent-trade": self._trades, "/funding/history": self._funding,
        }  # fmt: skip
        return {f"/v5/market{path}": handler for path, handler in handlers.items()}

    def refused(self, request: web.Request, limited: float | None) -> web.Response | None:  # noqa: ARG002
        """Answer as Bybit does: status 403 with code 10006."""
        if limited is None:
            return None
        return web.json_response({"retCode": 10006, "retMsg": "Too many visits!", "result": {}}, status=403)

    def _answer(self, result: dict[str, Any]) -> web.Response:
        head = {"retCode": 0, "retMsg": "OK"}
        return web.json_response({**head, "result": result, "retExtInfo": {}, "time": self.clock()})

    def _listing(self, request: web.Request) -> Listing:
        found = self.by_symbol.get((request.query.get("category") == "linear", request.query.get("symbol", "")))
        if found is None:
            body = _dump({"retCode": 10001, "retMsg": "Not supported symbols", "result": {}, "time": self.clock()})
            raise web.HTTPOk(text=body, content_type="application/json")
        return found

    async def _time(self, _: web.Request) -> web.Response:
        return self._answer({"timeSecond": str(self.clock() // 1000), "timeNano": str(self.clock() * 1_000_000)})

    async def _instruments(self, request: web.Request) -> web.Response:
        category = request.query.get("category", "spot")
        listed = [self._instrument(one) for one in self.listings if one.perpetual is (category == "linear")]
        listed = [] if category not in {"spot", "linear"} else listed
        return self._answer({"category": category, "list": listed, "nextPageCursor": ""})

    @staticmethod
    def _instrument(one: Listing) -> dict[str, Any]:
        tick, lot = fixed(1, one.price_scale), fixed(1, one.lot_scale)
        same = {"symbol": one.exchange_symbol, "baseCoin": one.base, "quoteCoin": "USDT", "status": "Trading"}
        price = {"minPrice": tick, "maxPrice": "1999999.98", "tickSize": tick}
        if not one.perpetual:
            lots = {"basePrecision": lot, "quotePrecision": "0.00000001", "minOrderQty": lot, "maxOrderQty": "90000000",
                    "minOrderAmt": "1", "maxOrderAmt": "4000000"}  # fmt: skip
            return same | {"innovation": "0", "marginTrading": "both", "lotSizeFilter": lots, "priceFilter": price}
        lots = {"qtyStep": lot, "minOrderQty": lot, "maxOrderQty": "90000000", "minNotionalValue": "5",
                "postOnlyMaxOrderQty": "90000000"}  # fmt: skip
        leverage = {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"}
        return same | {
            "contractType": "LinearPerpetual", "launchTime": "1584230400000", "deliveryTime": "0", "settleCoin": "USDT",
            "deliveryFeeRate": "", "priceScale": str(one.price_scale), "unifiedMarginTrade": True,
            "fundingInterval": 480, "leverageFilter": leverage, "priceFilter": price, "lotSizeFilter": lots,
        }  # fmt: skip

    async def _klines(self, request: web.Request) -> web.Response:
        one, query = self._listing(request), request.query
        length = INTERVALS[query.get("interval", "1")] * MINUTE
        limit, now = min(int(query.get("limit", 200)), 1000), self.clock()
        until = min(int(query.get("end", now)), now) + 1
        since = int(query.get("start", until - limit * length))
        since = max(-(-since // length) * length, (until - 1) // length * length - (limit - 1) * length)
        rows = self.past.klines(one, length, since, until, now)[-limit:][::-1]
        listed = [
            [str(k.opened_at), one.price(k.open), one.price(k.high), one.price(k.low), one.price(k.close),
             one.quantity(k.volume), one.quote(k.quote)]
            for k in rows
        ]  # fmt: skip
        return self._answer({"category": query.get("category"), "symbol": one.exchange_symbol, "list": listed})

    async def _trades(self, request: web.Request) -> web.Response:
        one, tape = self._listing(request), self._listing(request).tape
        limit = min(int(request.query.get("limit", 60)), 1000 if one.perpetual else 60)
        listed = [
            {"execId": _id(one, t), "symbol": one.exchange_symbol, "price": one.price(t.price),
             "size": one.quantity(t.quantity), "side": "Buy" if t.taker_buys else "Sell", "time": str(t.at),
             "isBlockTrade": False, "seq": str(t.id)}
            for t in (tape[n] for n in range(len(tape) - 1, max(-1, len(tape) - 1 - limit), -1))
        ]  # fmt: skip
        return self._answer({"category": request.query.get("category"), "list": listed})

    async def _funding(self, request: web.Request) -> web.Response:
        one, last = self._listing(request), self.funding_times()[0]
        times = [last - n * 28_800_000 for n in range(min(int(request.query.get("limit", 200)), 200))]
        since = int(request.query.get("startTime", 0))
        listed = [
            {"symbol": one.exchange_symbol, "fundingRate": funding_rate(one, at), "fundingRateTimestamp": str(at)}
            for at in times if at >= since
        ]  # fmt: skip
        return self._answer({"category": "linear", "list": listed})


def _id(listing: Listing, trade: Trade) -> str:
    """Return a UUID for perpetuals, a number for spot."""
    if not listing.perpetual:
        return str(2_290_000_000_000_000_000 + trade.id)
    return str(uuid.UUID(int=(NAMES.int ^ (trade.id * 0x9E3779B97F4A7C15F39CC0605CEDC835)) & (2**128 - 1)))


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
