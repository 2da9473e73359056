"""Binance's REST side: spot (`/api/v3`) and USDT futures (`/fapi/v1`); coin futures (`/dapi/v1`) list nothing."""

from bisect import bisect_left, bisect_right
from typing import Any, ClassVar

from aiohttp import web

from ingestion.simulator.dialect import JSON, Cost, Dialect, Handler, dump, funding_rate
from ingestion.simulator.limits import Allowance
from ingestion.simulator.listing import MINUTE_MS, Kline, Listing, fixed

INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "1d": 1440}
HOUR_MS = 3_600_000
SPOT, FUTURES = "/api/v3", "/fapi/v1"
BUDGETS = {SPOT: Allowance(6_000, 60.0), FUTURES: Allowance(2_400, 60.0)}
WEIGHTS = {
    SPOT: {"exchangeInfo": 20, "klines": 2, "trades": 25, "historicalTrades": 25, "aggTrades": 4},
    FUTURES: {"trades": 5, "historicalTrades": 20, "aggTrades": 20},
}
FUTURES_KLINES = ((1000, 10), (499, 5), (99, 2), (0, 1))
"""Weight of futures klines by what `limit` is above."""


class BinanceRest(Dialect):
    """Errors are `{"code", "msg"}` with status 4xx."""

    trades_most: ClassVar[int] = 1000

    def routes(self) -> dict[str, Handler]:
        """Return the REST paths of both families."""
        paths: dict[str, Handler] = {}
        for family, perpetual in ((SPOT, False), (FUTURES, True)):
            handlers = {
                "/ping": self._ping,
                "/time": self._time,
                "/exchangeInfo": self._info,
                "/klines": self._klines,
                "/trades": self._trades,
                "/historicalTrades": self._historical,
                "/aggTrades": self._aggregated,
                **({"/fundingRate": self._funding} if perpetual else {}),
            }
            paths |= {family + path: handler for path, handler in handlers.items()}
        return paths | {"/dapi/v1/exchangeInfo": self._info, "/dapi/v1/time": self._time}

    def cost(self, path: str, request: web.Request) -> Cost:
        """Return the weight of a request; spot and futures have a budget each."""
        family, _, name = path.rpartition("/")
        family = family if family in BUDGETS else FUTURES
        weight = WEIGHTS[family].get(name, 1)
        if family == FUTURES and name == "klines":
            limit = self.integer(request, "limit", 500)
            weight = next(weight for above, weight in FUTURES_KLINES if limit > above or above == 0)
        return Cost(family, BUDGETS[family], weight)

    def refused(self, seconds: float, *, banned: bool) -> web.Response:
        """Answer 429, or 418 to who did not listen."""
        until = self.clock() + int(seconds * 1000)
        message = f"Way too much request weight used; IP banned until {until}. Please use WebSocket Streams"
        message = message if banned else "Too much request weight used; please use WebSocket Streams for live updates"
        headers = {"Retry-After": str(max(1, round(seconds)))}
        return web.json_response({"code": -1003, "msg": message}, status=418 if banned else 429, headers=headers)

    def wrong(self, parameter: str) -> web.HTTPException:
        """Answer code -1100."""
        message = f"Illegal characters found in parameter '{parameter}'; legal range is '^[0-9]{{1,20}}$'."
        return web.HTTPBadRequest(text=dump({"code": -1100, "msg": message}), content_type=JSON)

    def _listing(self, request: web.Request) -> Listing:
        listing = self.by_symbol.get(("/fapi/" in request.path, request.query.get("symbol", "")))
        if listing is None:
            raise web.HTTPBadRequest(text=dump({"code": -1121, "msg": "Invalid symbol."}), content_type=JSON)
        return listing

    async def _ping(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _time(self, _: web.Request) -> web.Response:
        return web.json_response({"serverTime": self.clock()})

    async def _info(self, request: web.Request) -> web.Response:
        family = request.path.removeprefix("/binance").rpartition("/")[0]
        kinds = {SPOT: (False,), FUTURES: (True,)}.get(family, ())
        symbols = [self._instrument(listing) for listing in self.listings if listing.perpetual in kinds]
        most = BUDGETS.get(family, BUDGETS[FUTURES]).most
        limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE_MS", "intervalNum": 1, "limit": most}]
        head = {"timezone": "UTC", "serverTime": self.clock(), "rateLimits": limits, "exchangeFilters": []}
        return web.json_response({**head, "symbols": symbols})

    @staticmethod
    def _instrument(listing: Listing) -> dict[str, Any]:
        tick, lot = fixed(1, listing.price_scale), fixed(1, listing.lot_scale)
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000000", "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": "9000000", "stepSize": lot},
        ]
        same = {
            "symbol": listing.exchange_symbol,
            "status": "TRADING",
            "baseAsset": listing.base,
            "quoteAsset": "USDT",
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "permissions": ["SPOT"],
            "permissionSets": [["SPOT"]],
        }
        if not listing.perpetual:
            filters.append({"filterType": "NOTIONAL", "minNotional": "5.0", "maxNotional": "9000000"})
            flags = {"isSpotTradingAllowed": True, "isMarginTradingAllowed": True, "icebergAllowed": True}
            return {**same, **flags, "filters": filters}
        return same | {
            "pair": listing.exchange_symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000,
            "marginAsset": "USDT",
            "pricePrecision": listing.price_scale,
            "quantityPrecision": listing.lot_scale,
            "underlyingType": "COIN",
            "underlyingSubType": ["PoW"],
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "filters": [*filters, {"filterType": "MIN_NOTIONAL", "notional": "5"}],
        }

    async def _klines(self, request: web.Request) -> web.Response:
        listing, query = self._listing(request), request.query
        minutes = INTERVALS.get(query.get("interval", ""))
        if minutes is None:
            return web.json_response({"code": -1120, "msg": "Invalid interval."}, status=400)
        length, now = minutes * MINUTE_MS, self.clock()
        limit = max(1, self.integer(request, "limit", 500, most=1500 if listing.perpetual else 1000))
        until = min(self.integer(request, "endTime", now), now) + 1
        since = self.integer(request, "startTime", (until - 1) // length * length - (limit - 1) * length)
        since = -(-since // length) * length
        rows = self.past.klines(listing, length, since, min(until, since + limit * length), now)
        return web.json_response([_kline_row(listing, k, length) for k in rows[:limit]])

    def _selection(self, request: web.Request) -> tuple[Listing, int, int]:
        """Find aggregates by fromId, by startTime and endTime, or the newest: the positions of their fills."""
        listing, query = self._listing(request), request.query
        tape, limit = listing.tape, max(1, self.integer(request, "limit", 500, most=self.trades_most))
        groups, size = tape.aggregates, len(tape)
        if size == 0:
            return listing, 0, 0
        first, end = 0, size
        if "fromId" in query:
            first = bisect_left(groups, self.integer(request, "fromId", 0))
        elif "startTime" in query or "endTime" in query:
            since, until = self.integer(request, "startTime", 0), self.integer(request, "endTime", 1 << 60)
            if listing.perpetual and since and "endTime" in query and until - since > HOUR_MS:
                text = dump({"code": -1127, "msg": "More than 1 hours between startTime and endTime."})
                raise web.HTTPBadRequest(text=text, content_type=JSON)
            first, end = bisect_left(tape.times, since), bisect_right(tape.times, until)
        if "fromId" in query or "startTime" in query:
            end = min(end, bisect_left(groups, groups[min(first, size - 1)] + limit))
            return listing, first, end
        return listing, bisect_left(groups, groups[end - 1] - limit + 1) if end else 0, end

    async def _trades(self, request: web.Request) -> web.Response:
        """Answer `trades`: the newest ones, whatever else is asked for."""
        listing = self._listing(request)
        limit = max(1, self.integer(request, "limit", 500, most=self.trades_most))
        return self._fills(listing, len(listing.tape) - limit, len(listing.tape))

    async def _historical(self, request: web.Request) -> web.Response:
        """Answer `historicalTrades`; on futures it needs an API key."""
        if self._listing(request).perpetual and not request.headers.get("X-MBX-APIKEY"):
            return web.json_response({"code": -2014, "msg": "API-key format invalid."}, status=401)
        limit = max(1, self.integer(request, "limit", 500, most=self.trades_most))
        listing, tape = self._listing(request), self._listing(request).tape
        first = len(tape) - limit
        if "fromId" in request.query:
            first = bisect_left(tape.ids, self.integer(request, "fromId", 0))
        return self._fills(listing, first, first + limit)

    @staticmethod
    def _fills(listing: Listing, first: int, end: int) -> web.Response:
        best = {} if listing.perpetual else {"isBestMatch": True}
        return web.json_response(
            [
                {
                    "id": t.id,
                    "price": listing.price(t.price),
                    "qty": listing.quantity(t.quantity),
                    "quoteQty": listing.quote(t.price * t.quantity),
                    "time": t.at,
                    "isBuyerMaker": not t.taker_buys,
                    **best,
                }
                for t in listing.tape.rows(first, end)
            ]
        )

    async def _aggregated(self, request: web.Request) -> web.Response:
        listing, first, end = self._selection(request)
        best = {} if listing.perpetual else {"M": True}
        return web.json_response(
            [
                {
                    "a": g.id,
                    "p": listing.price(g.price),
                    "q": listing.quantity(g.quantity),
                    "f": g.first_id,
                    "l": g.last_id,
                    "T": g.at,
                    "m": not g.taker_buys,
                    **best,
                }
                for g in listing.tape.grouped(first, end)
            ]
        )

    async def _funding(self, request: web.Request) -> web.Response:
        listing = self._listing(request)
        limit = max(1, self.integer(request, "limit", 100, most=1000))
        since, until = self.integer(request, "startTime", 0), self.integer(request, "endTime", 1 << 60)
        return web.json_response(
            [
                {
                    "symbol": listing.exchange_symbol,
                    "fundingTime": at,
                    "fundingRate": funding_rate(listing, at),
                    "markPrice": "",
                }
                for at in self.past_fundings(since, until, limit)
            ]
        )


def _kline_row(listing: Listing, k: Kline, length: int) -> list[object]:
    return [
        k.opened_at,
        listing.price(k.open),
        listing.price(k.high),
        listing.price(k.low),
        listing.price(k.close),
        listing.quantity(k.volume),
        k.opened_at + length - 1,
        listing.quote(k.quote),
        k.count,
        listing.quantity(k.taker_buy_volume),
        listing.quote(k.taker_buy_quote),
        "0",
    ]
