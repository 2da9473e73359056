"""Binance's side of the wire: spot (`/api/v3`, `/ws`, `/stream`) and USDT futures (`/fapi/v1`, `/fstream/…`)."""

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from aiohttp import web

from ingestion.simulator.dialect import Connection, Exchange, Handler, Publication, funding_rate
from ingestion.simulator.listing import Kline, Listing, Trade, fixed

INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "1d": 1440}
MINUTE = 60_000


class Binance(Exchange):
    """Spot market `spot`, futures market `futures`; combined sockets wrap frames in `{"stream", "data"}`."""

    name = "binance"
    sockets: ClassVar[dict[str, str]] = {
        "/ws": "spot",
        "/stream/ws": "spot",  # ccxt takes a URL for spot only if it holds "/stream"
        "/stream": "spot+",
        "/fstream/ws": "futures",
        "/fstream/stream": "futures+",
    }

    def market(self, listing: Listing, key: str) -> str:  # noqa: ARG002
        """Return spot or futures."""
        return "futures" if listing.perpetual else "spot"

    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write one frame per trade: `trade` and `aggTrade`; an aggregate of one trade has the trade's own id."""
        s, low, now = listing.exchange_symbol, listing.exchange_symbol.lower(), self.clock()
        for t in trades:
            p, q, m = listing.price(t.price), listing.quantity(t.quantity), "false" if t.taker_buys else "true"
            tail = f'"p":"{p}","q":"{q}","T":{t.at},"m":{m}'
            more = "" if listing.perpetual else ',"M":true'
            yield f"{low}@trade", f'{{"e":"trade","E":{now},"s":"{s}","t":{t.id},{tail}{more}}}'
            yield (
                f"{low}@aggTrade",
                f'{{"e":"aggTrade","E":{now},"s":"{s}","a":{t.id},"f":{t.id},"l":{t.id},{tail}{more}}}',
            )

    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write `kline`."""
        s = listing.exchange_symbol
        k = {
            "t": kline.opened_at, "T": kline.opened_at + MINUTE - 1, "s": s, "i": "1m", "f": kline.first_id,
            "L": kline.last_id, "o": listing.price(kline.open), "c": listing.price(kline.close),
            "h": listing.price(kline.high), "l": listing.price(kline.low), "v": listing.quantity(kline.volume),
            "n": kline.count, "x": closed, "q": listing.quote(kline.quote),
            "V": listing.quantity(kline.taker_buy_volume), "Q": listing.quote(kline.taker_buy_quote), "B": "0",
        }  # fmt: skip
        yield f"{s.lower()}@kline_1m", _dump({"e": "kline", "E": self.clock(), "s": s, "k": k})

    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write `markPriceUpdate`."""
        kline = listing.tape[len(listing.tape) - 1]
        price, s = listing.price(kline.price), listing.exchange_symbol
        event = {"e": "markPriceUpdate", "E": self.clock(), "s": s, "p": price, "i": price, "P": price, "r": rate}
        for key in (f"{s.lower()}@markPrice", f"{s.lower()}@markPrice@1s"):
            yield key, _dump({**event, "T": funded_at})

    def receive(self, connection: Connection, text: str) -> None:
        """Answer SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS."""
        try:
            request = json.loads(text)
            method, keys, identity = request["method"], request.get("params") or [], request.get("id")
        except (ValueError, KeyError, TypeError):
            connection.send(_dump({"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}))
            return
        if method == "LIST_SUBSCRIPTIONS":
            connection.send(_dump({"result": sorted(connection.keys), "id": identity}))
            return
        if method not in {"SUBSCRIBE", "UNSUBSCRIBE"} or not all(isinstance(key, str) for key in keys):
            connection.send(_dump({"error": {"code": 2, "msg": "Invalid request"}, "id": identity}))
            return
        for key in keys:
            (self.subscribe if method == "SUBSCRIBE" else self.unsubscribe)(connection, key)
        if len(connection.keys) > connection.limits.streams:
            connection.close(1008, "Too many streams")
            return
        connection.send(_dump({"result": None, "id": identity}))

    def routes(self) -> dict[str, Handler]:
        """Return the REST paths of both families."""
        paths: dict[str, Handler] = {}
        for family, perpetual in (("/api/v3", False), ("/fapi/v1", True)):
            handlers = {
                "/ping": self._ping, "/time": self._time, "/exchangeInfo": self._info, "/klines": self._klines,
                "/trades": self._trades, "/historicalTrades": self._trades, "/aggTrades": self._aggregated,
                **({"/fundingRate": self._funding} if perpetual else {}),
            }  # fmt: skip
            paths |= {family + path: handler for path, handler in handlers.items()}
        return paths

    def _listing(self, request: web.Request) -> Listing:
        found = self.by_symbol.get(("/fapi/" in request.path, request.query.get("symbol", "")))
        if found is None:
            raise web.HTTPBadRequest(text=_dump({"code": -1121, "msg": "Invalid symbol."}), content_type=JSON)
        return found

    async def _ping(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _time(self, _: web.Request) -> web.Response:
        return web.json_response({"serverTime": self.clock()})

    async def _info(self, request: web.Request) -> web.Response:
        perpetual = "/fapi/" in request.path
        symbols = [self._instrument(one) for one in self.listings if one.perpetual is perpetual]
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}]
        head = {"timezone": "UTC", "serverTime": self.clock(), "rateLimits": limits, "exchangeFilters": []}
        return web.json_response({**head, "symbols": symbols})

    @staticmethod
    def _instrument(one: Listing) -> dict[str, Any]:
        tick, lot = fixed(1, one.price_scale), fixed(1, one.lot_scale)
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000000", "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
        ]
        same = {
            "symbol": one.exchange_symbol, "status": "TRADING", "baseAsset": one.base, "quoteAsset": "USDT",
            "baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8, "orderTypes": ["LIMIT", "MARKET"], "permissions": ["SPOT"],
            "permissionSets": [["SPOT"]],
        }  # fmt: skip
        if not one.perpetual:
            filters.append({"filterType": "NOTIONAL", "minNotional": "5.0", "maxNotional": "9000000"})
            flags = {"isSpotTradingAllowed": True, "isMarginTradingAllowed": True, "icebergAllowed": True}
            return {**same, **flags, "filters": filters}
        return same | {
            "pair": one.exchange_symbol, "contractType": "PERPETUAL", "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000, "marginAsset": "USDT", "pricePrecision": one.price_scale,
            "quantityPrecision": one.lot_scale, "underlyingType": "COIN", "underlyingSubType": ["PoW"],
            "maintMarginPercent": "2.5000", "requiredMarginPercent": "5.0000",
            "filters": [*filters, {"filterType": "MIN_NOTIONAL", "notional": "5"}],
        }  # fmt: skip

    async def _klines(self, request: web.Request) -> web.Response:
        one, query = self._listing(request), request.query
        minutes = INTERVALS.get(query.get("interval", ""))
        if minutes is None:
            return web.json_response({"code": -1120, "msg": "Invalid interval."}, status=400)
        length, limit, now = minutes * MINUTE, min(int(query.get("limit", 500)), 1500), self.clock()
        until = min(int(query.get("endTime", now)), now) + 1
        since = int(query["startTime"]) if "startTime" in query else until - limit * length
        since = -(-since // length) * length
        rows = self.past.klines(one, length, since, min(until, since + limit * length), now)
        return web.json_response([_kline_row(one, k, length) for k in rows[:limit]])

    def _selected(self, request: web.Request) -> tuple[Listing, list[Trade]]:
        """Return trades by fromId, by startTime/endTime, or the newest."""
        one, query = self._listing(request), request.query
        limit, tape = min(int(query.get("limit", 500)), 1000), one.tape
        if "fromId" in query:
            first = next((n for n in range(len(tape)) if tape.ids[n] >= int(query["fromId"])), len(tape))
            return one, [tape[n] for n in range(first, min(first + limit, len(tape)))]
        if "startTime" in query:
            last = int(query.get("endTime", 1 << 60))
            return one, [tape[n] for n in range(len(tape)) if int(query["startTime"]) <= tape.times[n] <= last][:limit]
        return one, [tape[n] for n in range(max(0, len(tape) - limit), len(tape))]

    async def _trades(self, request: web.Request) -> web.Response:
        one, trades = self._selected(request)
        return web.json_response([
            {"id": t.id, "price": one.price(t.price), "qty": one.quantity(t.quantity),
             "quoteQty": one.quote(t.price * t.quantity), "time": t.at, "isBuyerMaker": not t.taker_buys,
             "isBestMatch": True}
            for t in trades
        ])  # fmt: skip

    async def _aggregated(self, request: web.Request) -> web.Response:
        one, trades = self._selected(request)
        return web.json_response([
            {"a": t.id, "p": one.price(t.price), "q": one.quantity(t.quantity), "f": t.id, "l": t.id, "T": t.at,
             "m": not t.taker_buys, "M": True}
            for t in trades
        ])  # fmt: skip

    async def _funding(self, request: web.Request) -> web.Response:
        one, last = self._listing(request), self.funding_times()[0]
        times = [last - n * 28_800_000 for n in range(min(int(request.query.get("limit", 100)), 1000))][::-1]
        since = int(request.query.get("startTime", 0))
        return web.json_response([
            {"symbol": one.exchange_symbol, "fundingTime": at, "fundingRate": funding_rate(one, at), "markPrice": ""}
            for at in times if at >= since
        ])  # fmt: skip


JSON = "application/json"


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _kline_row(one: Listing, k: Kline, length: int) -> list[object]:
    return [
        k.opened_at, one.price(k.open), one.price(k.high), one.price(k.low), one.price(k.close),
        one.quantity(k.volume), k.opened_at + length - 1, one.quote(k.quote), k.count,
        one.quantity(k.taker_buy_volume), one.quote(k.taker_buy_quote), "0",
    ]  # fmt: skip
