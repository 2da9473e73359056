"""OKX v5's REST side: `/api/v5/…`. Lists come newest first."""

from bisect import bisect_left, bisect_right
from typing import Any

from aiohttp import web

from ingestion.simulator.dialect import JSON, Cost, Dialect, Handler, dump, funding_rate
from ingestion.simulator.limits import Allowance
from ingestion.simulator.listing import MINUTE_MS, Kline, Listing, Trade, fixed

INTERVALS = {
    "1m": (1, 0),
    "3m": (3, 0),
    "5m": (5, 0),
    "15m": (15, 0),
    "30m": (30, 0),
    "1H": (60, 0),
    "2H": (120, 0),
    "4H": (240, 0),
    "6H": (360, 8),
    "12H": (720, 8),
    "1D": (1440, 8),
    "6Hutc": (360, 0),
    "12Hutc": (720, 0),
    "1Dutc": (1440, 0),
}
"""Minutes, and the hours by which Hong Kong is ahead of UTC, for bars that open on its time."""
HOUR = 3_600_000
RECENT = 1_440
"""Bars that `candles` has; older ones are in `history-candles`."""
IN_TWO_SECONDS = {
    "time": 10,
    "instruments": 20,
    "candles": 40,
    "history-candles": 20,
    "trades": 100,
    "history-trades": 20,
    "funding-rate-history": 10,
}
PER_INSTRUMENT = {"funding-rate-history"}
BY_TIME = "2"


class OkxRest(Dialect):
    """Errors are `{"code", "msg", "data": []}` with status 200, except for who comes too often: 429."""

    def __post_init__(self) -> None:
        """Instrument ids name their kind: BTC-USDT, BTC-USDT-SWAP."""
        self.by_id = {listing.exchange_symbol: listing for listing in self.listings}

    def routes(self) -> dict[str, Handler]:
        """Return the REST paths."""
        handlers = {
            "/public/time": self._time,
            "/public/instruments": self._instruments,
            "/market/candles": self._klines,
            "/market/history-candles": self._klines,
            "/market/trades": self._trades,
            "/market/history-trades": self._history,
            "/public/funding-rate-history": self._funding,
        }
        return {f"/api/v5{path}": handler for path, handler in handlers.items()}

    def cost(self, path: str, request: web.Request) -> Cost:
        """Return one request of those an endpoint takes in 2 s, some of them for each instrument."""
        name = path.rpartition("/")[2]
        scope = request.query.get("instId", "") if name in PER_INSTRUMENT else request.query.get("instType", "")
        return Cost(f"{name}:{scope}", Allowance(IN_TWO_SECONDS[name], 2.0))

    def refused(self, seconds: float, *, banned: bool) -> web.Response:  # noqa: ARG002 - OKX bans no address
        """Answer 429 with code 50011; OKX does not say for how long."""
        return web.json_response({"code": "50011", "msg": "Too Many Requests", "data": []}, status=429)

    def wrong(self, parameter: str) -> web.HTTPException:
        """Answer code 51000."""
        body = {"code": "51000", "msg": f"Parameter {parameter} error", "data": []}
        return web.HTTPOk(text=dump(body), content_type=JSON)

    @staticmethod
    def _answer(rows: list[Any]) -> web.Response:
        return web.json_response({"code": "0", "msg": "", "data": rows})

    def _listing(self, request: web.Request) -> Listing:
        listing = self.by_id.get(request.query.get("instId", ""))
        if listing is None:
            body = dump({"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []})
            raise web.HTTPOk(text=body, content_type="application/json")
        return listing

    async def _time(self, _: web.Request) -> web.Response:
        return self._answer([{"ts": str(self.clock())}])

    async def _instruments(self, request: web.Request) -> web.Response:
        kind = request.query.get("instType", "SPOT")
        listed = [
            listing for listing in self.listings if listing.perpetual is (kind == "SWAP") and kind in {"SPOT", "SWAP"}
        ]
        return self._answer([self._instrument(listing) for listing in listed])

    @staticmethod
    def _instrument(listing: Listing) -> dict[str, Any]:
        tick, lot = fixed(1, listing.price_scale), fixed(1, listing.lot_scale)
        swap = listing.perpetual
        return {
            "instType": "SWAP" if swap else "SPOT",
            "instId": listing.exchange_symbol,
            "instFamily": f"{listing.base}-USDT" * swap,
            "uly": f"{listing.base}-USDT" * swap,
            "category": "1",
            "baseCcy": "" if swap else listing.base,
            "quoteCcy": "" if swap else "USDT",
            "settleCcy": "USDT" * swap,
            "ctVal": listing.contract * swap,
            "ctMult": "1" * swap,
            "ctValCcy": listing.base * swap,
            "optType": "",
            "stk": "",
            "listTime": "1548133413000",
            "expTime": "",
            "lever": "10",
            "tickSz": tick,
            "lotSz": lot,
            "minSz": lot,
            "ctType": "linear" * swap,
            "alias": "",
            "state": "live",
            "maxLmtSz": "9999999999",
            "maxMktSz": "1000000",
            "ruleType": "normal",
        }

    async def _klines(self, request: web.Request) -> web.Response:
        """Answer the newest bars with before < opened_at < after."""
        listing = self._listing(request)
        minutes, ahead = INTERVALS.get(request.query.get("bar", "1m"), (0, 0))
        if minutes == 0:
            raise self.wrong("bar")
        length, shift, now = minutes * MINUTE_MS, ahead * HOUR, self.clock()
        limit = max(1, self.integer(request, "limit", 100, most=300))
        until = min(self.integer(request, "after", now + 1), now + 1)
        newest = (until - 1 + shift) // length * length - shift
        since = newest - (limit - 1) * length
        if "before" in request.query:
            since = max(since, self.integer(request, "before", 0) + 1)
        if request.path.endswith("/candles"):
            since = max(since, now - RECENT * length)
        rows = self.past.klines(listing, length, since, until, now, shift)[-limit:][::-1]
        return self._answer([candle(listing, k, closed=k.opened_at + length <= now) for k in rows])

    async def _trades(self, request: web.Request) -> web.Response:
        """Answer the newest single trades."""
        listing, tape = self._listing(request), self._listing(request).tape
        limit = max(1, self.integer(request, "limit", 100, most=500))
        return self._answer([_row(listing, t) for t in reversed(tape.rows(len(tape) - limit, len(tape)))])

    async def _history(self, request: web.Request) -> web.Response:
        """Answer single trades before (`after`) or after (`before`) an id, or before a time (type 2)."""
        listing, tape = self._listing(request), self._listing(request).tape
        limit, query = max(1, self.integer(request, "limit", 100, most=100)), request.query
        keys = tape.times if query.get("type") == BY_TIME else tape.ids
        end = bisect_left(keys, self.integer(request, "after", 0)) if "after" in query else len(tape)
        first = bisect_right(keys, self.integer(request, "before", 0)) if "before" in query else 0
        return self._answer([_row(listing, t) for t in reversed(tape.rows(max(first, end - limit), end))])

    async def _funding(self, request: web.Request) -> web.Response:
        listing, limit = self._listing(request), max(1, self.integer(request, "limit", 100, most=100))
        since = self.integer(request, "before", -1) + 1
        until = self.integer(request, "after", 1 << 60) - 1
        rows = [
            {
                "instType": "SWAP",
                "instId": listing.exchange_symbol,
                "fundingRate": funding_rate(listing, at),
                "realizedRate": funding_rate(listing, at),
                "fundingTime": str(at),
                "method": "current_period",
            }
            for at in reversed(self.past_fundings(since, until, limit))
        ]
        return self._answer(rows)


def _row(listing: Listing, t: Trade) -> dict[str, str]:
    return {
        "instId": listing.exchange_symbol,
        "side": "buy" if t.taker_buys else "sell",
        "sz": listing.quantity(t.quantity),
        "px": listing.price(t.price),
        "tradeId": str(t.id),
        "ts": str(t.at),
        "source": "0",
    }


def candle(listing: Listing, k: Kline, *, closed: bool) -> list[str]:
    """Write a bar: contracts, base units, quote units."""
    smaller = (
        len(listing.contract.partition(".")[2]) if listing.perpetual else 0
    )  # contracts are powers of ten of the base
    return [
        str(k.opened_at),
        listing.price(k.open),
        listing.price(k.high),
        listing.price(k.low),
        listing.price(k.close),
        listing.quantity(k.volume),
        fixed(k.volume, listing.lot_scale + smaller),
        fixed(k.quote, listing.price_scale + listing.lot_scale + smaller),
        "1" if closed else "0",
    ]
