"""Bybit v5: spot and USDT perpetuals (`linear`).

Sources: Bybit V5 API, "Connect", "Public Trade", "Kline", "Get Kline", "Rate Limit".
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec

from ingestion.decoding.batch import decode_frames
from ingestion.decoding.records import joined
from ingestion.exchange import (
    Channel,
    Decoded,
    Example,
    Exchange,
    ExchangeFunding,
    Fees,
    Limits,
    Operation,
    Rest,
    Rows,
    Subscription,
)
from ingestion.exchanges.bybit.frames import TABLE, read_frame
from ingestion.exchanges.bybit.rest import parse_funding, parse_instruments, parse_klines, parse_trades, result_of
from ingestion.market import Instrument, Timeframe

_TOPICS = {Channel.TRADES: "publicTrade", Channel.KLINES: "kline.1", Channel.FUNDING: "tickers"}
_INTERVALS = {Timeframe.M1: "1", Timeframe.M5: "5", Timeframe.M15: "15", Timeframe.H1: "60"}


class Bybit(Exchange):
    """Spot and perpetuals are two categories of one interface, each with a socket of its own."""

    name = "bybit"
    rest_url = "https://api.bybit.com"
    socket: ClassVar[str] = "wss://stream.bybit.com"
    funding_seconds = math.inf  # a ticker leaves out what has not changed
    dense_trade_ids = False  # UUIDs
    ping = b'{"op":"ping"}'
    ping_seconds = 20.0
    limits = Limits(
        streams_per_connection=180,  # arguments of one connection are bounded by 21,000 characters
        streams_per_message=10,  # spot refuses more arguments in one request
        messages_per_second=10.0,
        connections_per_window=500,
        window_seconds=300.0,
        weight_per_minute=6000,  # 600 requests in 5 s per address
        weight_burst=200.0,
    )
    fees = Fees(10.0, 10.0, 2.0, 5.5)
    examples = (
        Example(
            b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":[{"T":1709891679000,'
            b'"s":"BTCUSDT","S":"Buy","v":"0.010","p":"27451.00","i":"9dc75fca-4bdd-4773-9f78-6f5d7ab2a110",'
            b'"BT":false}]}',
            symbol="BTCUSDT",
            traded_at=1709891679000000,
            trade_id="9dc75fca-4bdd-4773-9f78-6f5d7ab2a110",
            price="27451.00",
            quantity="0.01",
            taker_buys=True,
        ),
    )

    def socket_url(self, subscription: Subscription) -> str:
        """Return the public socket of the category."""
        return f"{self.socket_host(self.socket)}/v5/public/{_category(subscription.instrument)}"

    def request(self, operation: Operation, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write a subscribe or unsubscribe operation."""
        topics = [f"{_TOPICS[channel]}.{instrument.exchange_symbol}" for channel, instrument in subscriptions]
        return msgspec.json.encode({"req_id": str(request_id), "op": operation, "args": topics})

    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read frames."""
        return decode_frames(frames, received_at, read_frame, TABLE)

    async def time(self, rest: Rest) -> int:
        """Return the server's time."""
        body = await rest.get(self._url("/time"), {}, weight=1)
        return int(msgspec.json.decode(body)["result"]["timeNano"]) // 1000

    def _url(self, path: str) -> str:
        return f"{self.rest_host(self.rest_url)}/v5/market{path}"

    async def instruments(self, rest: Rest) -> list[Instrument]:
        """Return USDT symbols of both categories."""
        return await self._listed(rest, "spot") + await self._listed(rest, "linear")

    async def _listed(self, rest: Rest, category: str) -> list[Instrument]:
        instruments: list[Instrument] = []
        query: dict[str, Any] = {"category": category, "limit": 1000}
        while True:
            body = await rest.get(self._url("/instruments-info"), query, weight=1)
            instruments += parse_instruments(body)
            cursor = result_of(body).get("nextPageCursor", "")
            if not cursor:
                return instruments
            query["cursor"] = cursor

    async def trades(self, rest: Rest, instrument: Instrument, *, after_id: int, since: int, until_id: int = 0) -> Rows:  # noqa: ARG002 - ids have no order here
        """Return the recent trades, at most 1,000 (spot 60): Bybit serves no older ones."""
        limit = 1000 if instrument.symbol.perpetual else 60
        query = {"category": _category(instrument), "symbol": instrument.exchange_symbol, "limit": limit}
        rows = parse_trades(await rest.get(self._url("/recent-trade"), query, weight=1), instrument.exchange_symbol)
        return rows[rows["traded_at"] >= since]

    async def candles(
        self, rest: Rest, instrument: Instrument, timeframe: Timeframe, *, since: int, until: int
    ) -> Rows:
        """Page backwards through klines, 1,000 at a time, newest first as Bybit gives them."""
        pages: list[Rows] = []
        while since < until:
            query = {
                "category": _category(instrument),
                "symbol": instrument.exchange_symbol,
                "interval": _INTERVALS[timeframe],
                "start": since // 1000,
                "end": until // 1000 - 1,
                "limit": 1000,
            }
            page = parse_klines(await rest.get(self._url("/kline"), query, weight=1), timeframe)
            page = page[(page["opened_at"] >= since) & (page["opened_at"] + timeframe.microseconds <= until)]
            if len(page) == 0:
                break
            pages.insert(0, page)
            until = int(page["opened_at"][0])
        return joined(pages)

    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates, oldest first."""
        query = {"category": "linear", "symbol": instrument.exchange_symbol, "startTime": since // 1000, "limit": 200}
        return parse_funding(await rest.get(self._url("/funding/history"), query, weight=1))


def _category(instrument: Instrument) -> str:
    return "linear" if instrument.symbol.perpetual else "spot"
