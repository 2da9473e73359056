"""Bybit v5's REST side: `/v5/market/…`. Lists come newest first."""

import uuid
from typing import Any

from aiohttp import web

from ingestion.simulator.dialect import JSON, Cost, Dialect, Handler, dump, funding_rate
from ingestion.simulator.limits import Allowance
from ingestion.simulator.listing import MINUTE_MS, Listing, Trade, fixed

INTERVALS = {"1": 1, "3": 3, "5": 5, "15": 15, "30": 30, "60": 60, "120": 120, "240": 240, "D": 1440}
MIXER = 0x9E3779B97F4A7C15F39CC0605CEDC835  # odd, so that different ids stay different
NAMES = uuid.UUID("7b6ff0c1-8f0e-4d1e-9a3c-1f2d3c4b5a69")
ADDRESS_BUDGET = Allowance(600, 5.0)


class BybitRest(Dialect):
    """Errors are `{"retCode", "retMsg"}` with status 200, except for who comes too often: 403."""

    def routes(self) -> dict[str, Handler]:
        """Return the REST paths."""
        handlers = {
            "/time": self._time,
            "/instruments-info": self._instruments,
            "/kline": self._klines,
            "/recent-trade": self._trades,
            "/funding/history": self._funding,
        }
        return {f"/v5/market{path}": handler for path, handler in handlers.items()}

    def cost(self, path: str, request: web.Request) -> Cost:  # noqa: ARG002 - all requests cost the same
        """Return one of the 600 requests of an address in 5 s."""
        return Cost("address", ADDRESS_BUDGET)

    def refused(self, seconds: float, *, banned: bool) -> web.Response:
        """Answer 403 with code 10006; an address that came too often and a banned one look alike."""
        message = "access too frequent" if banned else "Too many visits. Exceeded the API Rate Limit."
        body = {"retCode": 10006, "retMsg": message, "result": {}, "retExtInfo": {}, "time": self.clock()}
        headers = {"X-Bapi-Limit-Reset-Timestamp": str(self.clock() + int(seconds * 1000))}
        return web.json_response(body, status=403, headers=headers)

    def wrong(self, parameter: str) -> web.HTTPException:
        """Answer code 10001."""
        body = {"retCode": 10001, "retMsg": f"Params Error: {parameter}", "result": {}, "time": self.clock()}
        return web.HTTPOk(text=dump(body), content_type=JSON)

    def _answer(self, result: dict[str, Any]) -> web.Response:
        head = {"retCode": 0, "retMsg": "OK"}
        return web.json_response({**head, "result": result, "retExtInfo": {}, "time": self.clock()})

    def _listing(self, request: web.Request) -> Listing:
        perpetual = {"spot": False, "linear": True}.get(request.query.get("category", ""))
        if perpetual is None:
            raise self.wrong("category")
        listing = self.by_symbol.get((perpetual, request.query.get("symbol", "")))
        if listing is None:
            raise self.wrong("symbol")
        return listing

    async def _time(self, _: web.Request) -> web.Response:
        return self._answer({"timeSecond": str(self.clock() // 1000), "timeNano": str(self.clock() * 1_000_000)})

    async def _instruments(self, request: web.Request) -> web.Response:
        """Answer page by page; a cursor says where to go on."""
        category = request.query.get("category", "")
        if category not in {"spot", "linear", "inverse", "option"}:
            raise self.wrong("category")
        markets = {"spot": (False,), "linear": (True,)}.get(category, ())
        listed = [self._instrument(listing) for listing in self.listings if listing.perpetual in markets]
        first, most = self.integer(request, "cursor", 0), max(1, self.integer(request, "limit", 500, most=1000))
        if category == "spot":  # comes whole
            first, most = 0, len(listed) + 1
        following = str(first + most) if first + most < len(listed) else ""
        page = listed[first : first + most]
        return self._answer({"category": category, "list": page, "nextPageCursor": following})

    @staticmethod
    def _instrument(listing: Listing) -> dict[str, Any]:
        tick, lot = fixed(1, listing.price_scale), fixed(1, listing.lot_scale)
        same = {"symbol": listing.exchange_symbol, "baseCoin": listing.base, "quoteCoin": "USDT", "status": "Trading"}
        price = {"minPrice": tick, "maxPrice": "1999999.98", "tickSize": tick}
        if not listing.perpetual:
            lots = {
                "basePrecision": lot,
                "quotePrecision": "0.00000001",
                "minOrderQty": lot,
                "maxOrderQty": "90000000",
                "minOrderAmt": "1",
                "maxOrderAmt": "4000000",
            }
            return same | {"innovation": "0", "marginTrading": "both", "lotSizeFilter": lots, "priceFilter": price}
        lots = {
            "qtyStep": lot,
            "minOrderQty": lot,
            "maxOrderQty": "90000000",
            "minNotionalValue": "5",
            "postOnlyMaxOrderQty": "90000000",
        }
        leverage = {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"}
        return same | {
            "contractType": "LinearPerpetual",
            "launchTime": "1584230400000",
            "deliveryTime": "0",
            "settleCoin": "USDT",
            "deliveryFeeRate": "",
            "priceScale": str(listing.price_scale),
            "unifiedMarginTrade": True,
            "fundingInterval": 480,
            "leverageFilter": leverage,
            "priceFilter": price,
            "lotSizeFilter": lots,
        }

    async def _klines(self, request: web.Request) -> web.Response:
        listing, query = self._listing(request), request.query
        minutes = INTERVALS.get(query.get("interval", ""))
        if minutes is None:
            raise self.wrong("interval")
        length, now = minutes * MINUTE_MS, self.clock()
        limit = max(1, self.integer(request, "limit", 200, most=1000))
        since = self.integer(request, "start", 0)
        end = -(-since // length) * length + limit * length - 1 if since else now  # from the start on, without an end
        until = min(self.integer(request, "end", end), now) + 1
        since = max(-(-since // length) * length, (until - 1) // length * length - (limit - 1) * length)
        rows = self.past.klines(listing, length, since, until, now)[-limit:][::-1]
        listed = [
            [
                str(k.opened_at),
                listing.price(k.open),
                listing.price(k.high),
                listing.price(k.low),
                listing.price(k.close),
                listing.quantity(k.volume),
                listing.quote(k.quote),
            ]
            for k in rows
        ]
        return self._answer({"category": query.get("category"), "symbol": listing.exchange_symbol, "list": listed})

    async def _trades(self, request: web.Request) -> web.Response:
        listing, tape = self._listing(request), self._listing(request).tape
        limit = max(
            1, self.integer(request, "limit", 500 if listing.perpetual else 60, most=1000 if listing.perpetual else 60)
        )
        listed = [
            {
                "execId": execution_id(listing, t),
                "symbol": listing.exchange_symbol,
                "price": listing.price(t.price),
                "size": listing.quantity(t.quantity),
                "side": "Buy" if t.taker_buys else "Sell",
                "time": str(t.at),
                "isBlockTrade": False,
                "seq": str(sequence(t)),
            }
            for t in reversed(tape.rows(len(tape) - limit, len(tape)))
        ]
        return self._answer({"category": request.query.get("category"), "list": listed})

    async def _funding(self, request: web.Request) -> web.Response:
        listing, limit = self._listing(request), max(1, self.integer(request, "limit", 200, most=200))
        since, until = self.integer(request, "startTime", 0), self.integer(request, "endTime", 1 << 60)
        listed = [
            {
                "symbol": listing.exchange_symbol,
                "fundingRate": funding_rate(listing, at),
                "fundingRateTimestamp": str(at),
            }
            for at in reversed(self.past_fundings(since, until, limit))
        ]
        return self._answer({"category": "linear", "list": listed})


def execution_id(listing: Listing, trade: Trade) -> str:
    """Return a UUID for perpetuals, a number for spot."""
    if not listing.perpetual:
        return str(2_290_000_000_000_000_000 + trade.id)
    return str(uuid.UUID(int=(NAMES.int ^ (trade.id * MIXER)) & (2**128 - 1)))


def sequence(trade: Trade) -> int:
    """Return the cross sequence: it grows, but not by one, since orders and cancellations take numbers, too."""
    return 7 * trade.id + trade.id % 5
