"""OKX v5's side of the wire: `/api/v5/…`, `/ws/v5/public` and `/ws/v5/business` (candles)."""

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from aiohttp import web

from ingestion.simulator.dialect import Connection, Exchange, Handler, Publication, funding_rate
from ingestion.simulator.listing import Kline, Listing, Trade, fixed

INTERVALS = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "2H": 120, "4H": 240, "1Dutc": 1440}
MINUTE = 60_000
PUBLIC = {"trades", "trades-all", "tickers", "funding-rate", "instruments", "books5"}


class Okx(Exchange):
    """Candles live on the `business` socket, everything else on `public`."""

    name = "okx"
    sockets: ClassVar[dict[str, str]] = {"/ws/v5/public": "public", "/ws/v5/business": "business"}

    def __post_init__(self) -> None:
        """Instrument ids name their kind: BTC-USDT, BTC-USDT-SWAP."""
        self.by_id = {one.exchange_symbol: one for one in self.listings}

    def market(self, listing: Listing, key: str) -> str:  # noqa: ARG002
        """Return the socket that carries a channel."""
        return "business" if key.startswith(("candle", "trades-all")) else "public"

    def trade_frames(self, listing: Listing, trades: list[Trade]) -> Iterable[Publication]:
        """Write one `trades` frame a trade, as OKX does."""
        one = listing.exchange_symbol
        for t in trades:
            yield (
                f"trades:{one}",
                (
                    f'{{"arg":{{"channel":"trades","instId":"{one}"}},"data":[{{"instId":"{one}","tradeId":"{t.id}",'
                    f'"px":"{listing.price(t.price)}","sz":"{listing.quantity(t.quantity)}",'
                    f'"side":"{"buy" if t.taker_buys else "sell"}","ts":"{t.at}","count":"1"}}]}}'
                ),
            )

    def kline_frames(self, listing: Listing, kline: Kline, *, closed: bool) -> Iterable[Publication]:
        """Write `candle1m`."""
        one = listing.exchange_symbol
        yield (
            f"candle1m:{one}",
            _dump({"arg": {"channel": "candle1m", "instId": one}, "data": [_candle(listing, kline, closed=closed)]}),
        )

    def funding_frames(self, listing: Listing, rate: str, funded_at: int) -> Iterable[Publication]:
        """Write `funding-rate`."""
        one = listing.exchange_symbol
        row = {"instType": "SWAP", "instId": one, "fundingRate": rate, "fundingTime": str(funded_at),
               "nextFundingRate": "", "nextFundingTime": str(funded_at + 28_800_000),
               "ts": str(self.clock())}  # fmt: skip
        yield f"funding-rate:{one}", _dump({"arg": {"channel": "funding-rate", "instId": one}, "data": [row]})

    def receive(self, connection: Connection, text: str) -> None:
        """Answer subscribe, unsubscribe and the text ping."""
        if text == "ping":
            connection.send("pong")
            return
        try:
            request = json.loads(text)
            operation, arguments = request["op"], request["args"]
            channels = [(one["channel"], one.get("instId", "")) for one in arguments]
        except (ValueError, KeyError, TypeError):
            wrong = {"event": "error", "code": "60012", "msg": f"Invalid request: {text[:100]}", "connId": "sim"}
            connection.send(_dump(wrong))
            return
        identity = {"id": request["id"]} if "id" in request else {}
        for channel, instrument in channels:
            known = instrument in self.by_id and self.market(self.by_id[instrument], channel) == connection.market
            if operation not in {"subscribe", "unsubscribe"} or not known:
                message = (
                    f"Wrong URL or channel:{channel},instId:{instrument} doesn't exist. Please use the correct URL"
                )
                connection.send(_dump({**identity, "event": "error", "code": "60018", "msg": message, "connId": "sim"}))
                continue
            do = self.subscribe if operation == "subscribe" else self.unsubscribe
            do(connection, f"{channel}:{instrument}")
            argument = {"channel": channel, "instId": instrument}
            connection.send(_dump({**identity, "event": operation, "arg": argument, "connId": "sim"}))

    def routes(self) -> dict[str, Handler]:
        """Return the REST paths."""
        handlers = {
            "/public/time": self._time, "/public/instruments": self._instruments, "/market/candles": self._klines,
            "/market/history-candles": self._klines, "/market/trades": self._trades,
            "/market/history-trades": self._trades, "/public/funding-rate-history": self._funding,
        }  # fmt: skip
        return {f"/api/v5{path}": handler for path, handler in handlers.items()}

    def refused(self, request: web.Request, limited: float | None) -> web.Response | None:  # noqa: ARG002
        """Answer as OKX does: status 429 with code 50011."""
        if limited is None:
            return None
        return web.json_response({"code": "50011", "msg": "Too Many Requests", "data": []}, status=429)

    @staticmethod
    def _answer(rows: list[Any]) -> web.Response:
        return web.json_response({"code": "0", "msg": "", "data": rows})

    def _listing(self, request: web.Request) -> Listing:
        found = self.by_id.get(request.query.get("instId", ""))
        if found is None:
            body = _dump({"code": "51001", "msg": "Instrument ID doesn't exist.", "data": []})
            raise web.HTTPOk(text=body, content_type="application/json")
        return found

    async def _time(self, _: web.Request) -> web.Response:
        return self._answer([{"ts": str(self.clock())}])

    async def _instruments(self, request: web.Request) -> web.Response:
        kind = request.query.get("instType", "SPOT")
        listed = [one for one in self.listings if one.perpetual is (kind == "SWAP") and kind in {"SPOT", "SWAP"}]
        return self._answer([self._instrument(one) for one in listed])

    @staticmethod
    def _instrument(one: Listing) -> dict[str, Any]:
        tick, lot = fixed(1, one.price_scale), fixed(1, one.lot_scale)
        swap = one.perpetual
        return {
            "instType": "SWAP" if swap else "SPOT", "instId": one.exchange_symbol,
            "instFamily": f"{one.base}-USDT" * swap, "uly": f"{one.base}-USDT" * swap, "category": "1",
            "baseCcy": "" if swap else one.base,
            "quoteCcy": "" if swap else "USDT", "settleCcy": "USDT" * swap, "ctVal": one.contract * swap,
            "ctMult": "1" * swap, "ctValCcy": one.base * swap, "optType": "", "stk": "", "listTime": "1548133413000",
            "expTime": "", "lever": "10", "tickSz": tick, "lotSz": lot, "minSz": lot, "ctType": "linear" * swap,
            "alias": "", "state": "live", "maxLmtSz": "9999999999", "maxMktSz": "1000000", "ruleType": "normal",
        }  # fmt: skip

    async def _klines(self, request: web.Request) -> web.Response:
        one, query = self._listing(request), request.query
        minutes = INTERVALS.get(query.get("bar", "1m"))
        if minutes is None:
            return web.json_response({"code": "51000", "msg": "Parameter bar error", "data": []})
        length, now = minutes * MINUTE, self.clock()
        limit = min(int(query.get("limit", 100)), 300)
        until = min(int(query.get("after", now + 1)), now + 1)
        since = max(int(query.get("before", -1)) + 1, until - limit * length)
        since = -(-since // length) * length
        rows = self.past.klines(one, length, since, until, now)[-limit:][::-1]
        return self._answer([_candle(one, k, closed=k.opened_at + length <= now) for k in rows])

    async def _trades(self, request: web.Request) -> web.Response:
        one, query = self._listing(request), request.query
        tape, limit = one.tape, min(int(query.get("limit", 100)), 500)
        end = len(tape)
        if "after" in query:
            end = next((n for n in range(end) if tape.ids[n] >= int(query["after"])), end)
        rows = [tape[n] for n in range(end - 1, max(-1, end - 1 - limit), -1)]
        return self._answer([
            {"instId": one.exchange_symbol, "side": "buy" if t.taker_buys else "sell", "sz": one.quantity(t.quantity),
             "px": one.price(t.price), "tradeId": str(t.id), "ts": str(t.at), "source": "0"}
            for t in rows
        ])  # fmt: skip

    async def _funding(self, request: web.Request) -> web.Response:
        one, last = self._listing(request), self.funding_times()[0]
        times = [last - n * 28_800_000 for n in range(min(int(request.query.get("limit", 100)), 100))]
        since = int(request.query.get("before", 0))
        rows = [
            {"instType": "SWAP", "instId": one.exchange_symbol, "fundingRate": funding_rate(one, at),
             "realizedRate": funding_rate(one, at), "fundingTime": str(at), "method": "current_period"}
            for at in times if at > since
        ]  # fmt: skip
        return self._answer(rows)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _candle(one: Listing, k: Kline, *, closed: bool) -> list[str]:
    smaller = len(one.contract.partition(".")[2]) if one.perpetual else 0  # contracts are powers of ten of the base
    return [
        str(k.opened_at), one.price(k.open), one.price(k.high), one.price(k.low), one.price(k.close),
        one.quantity(k.volume), fixed(k.volume, one.lot_scale + smaller),
        fixed(k.quote, one.price_scale + one.lot_scale + smaller), "1" if closed else "0",
    ]  # fmt: skip
