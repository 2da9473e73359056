"""Binance: spot (api/v3) and USDT perpetuals (fapi/v1).

Sources: Binance Open Platform, "WebSocket Streams" and "General REST API Information", spot and USDⓈ-M futures.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from ingestion.decoding.batch import decode_frames
from ingestion.decoding.records import in_order, joined, milliseconds
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
from ingestion.exchanges.binance.frames import TABLE, read_frame
from ingestion.exchanges.binance.rest import (
    parse_aggregated,
    parse_funding,
    parse_instruments,
    parse_klines,
    parse_trades,
)
from ingestion.market import Instrument, Timeframe

_MOST_PAGES = 30
_STREAMS = {Channel.TRADES: "trade", Channel.KLINES: "kline_1m", Channel.FUNDING: "markPrice@1s"}
_FUTURES_STREAMS = _STREAMS | {Channel.TRADES: "aggTrade"}


class Binance(Exchange):
    """Spot and futures are two hosts; futures sum up the fills of one taker in `aggTrade`."""

    name = "binance"
    rest_url = "https://api.binance.com"
    futures_rest_url: ClassVar[str] = "https://fapi.binance.com"
    spot_socket: ClassVar[str] = "wss://stream.binance.com:9443"
    futures_socket: ClassVar[str] = "wss://fstream.binance.com"
    dense_trade_ids = True
    limits = Limits(
        streams_per_connection=200,  # futures allow 200, spot 1,024
        streams_per_message=50,
        messages_per_second=4.0,  # spot cuts at 5, pings and pongs included
        connections_per_window=300,
        window_seconds=300.0,
        weight_per_minute=2400,  # futures; spot allows 6,000
        weight_burst=1200.0,
        lifetime_seconds=86_400.0,
    )
    fees = Fees(10.0, 10.0, 2.0, 5.0)
    examples = (
        Example(
            b'{"e":"trade","E":1639351062244,"s":"ETHUSDT","t":705291099,"p":"4149.74000000","q":"0.43870000",'
            b'"T":1639351062243,"m":true,"M":true}',
            symbol="ETHUSDT",
            traded_at=1639351062243000,
            trade_id="705291099",
            price="4149.74000000",
            quantity="0.4387",
            taker_buys=False,
        ),
        Example(
            b'{"e":"aggTrade","E":123456789,"a":5933014,"s":"BTCUSDT","p":"0.001","q":"100","f":100,"l":105,'
            b'"T":123456785,"m":true}',
            symbol="BTCUSDT",
            traded_at=123456785000,
            trade_id="105",
            price="0.001",
            quantity="100",
            taker_buys=False,
            count=6,
        ),
    )

    def socket_url(self, subscription: Subscription) -> str:
        """Return the spot or the futures socket."""
        perpetual = subscription.instrument.symbol.perpetual
        host = self.socket_host(self.futures_socket, "/fstream") if perpetual else self.socket_host(self.spot_socket)
        return f"{host}/ws"

    def request(self, operation: Operation, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write SUBSCRIBE or UNSUBSCRIBE."""
        streams = [_stream(subscription) for subscription in subscriptions]
        return msgspec.json.encode({"method": operation.upper(), "params": streams, "id": request_id})

    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read frames."""
        return decode_frames(frames, received_at, read_frame, TABLE)

    def _url(self, instrument: Instrument, path: str) -> str:
        """Return the full URL of a REST path; spot and futures are two hosts."""
        family = "/fapi/v1" if instrument.symbol.perpetual else "/api/v3"
        return self._host(perpetual=instrument.symbol.perpetual) + family + path

    def _host(self, *, perpetual: bool) -> str:
        return self.rest_host(self.futures_rest_url if perpetual else self.rest_url)

    async def time(self, rest: Rest) -> int:
        """Return the server's time."""
        body = await rest.get(self._host(perpetual=False) + "/api/v3/time", {}, weight=1)
        return milliseconds(msgspec.json.decode(body)["serverTime"])

    async def instruments(self, rest: Rest) -> list[Instrument]:
        """Return USDT symbols of both markets."""
        spot = await rest.get(self._host(perpetual=False) + "/api/v3/exchangeInfo", {}, weight=20)
        futures = await rest.get(self._host(perpetual=True) + "/fapi/v1/exchangeInfo", {}, weight=1)
        return parse_instruments(spot, perpetual=False) + parse_instruments(futures, perpetual=True)

    async def trades(self, rest: Rest, instrument: Instrument, *, after_id: int, since: int, until_id: int = 0) -> Rows:
        """Return trades after an id (spot: historicalTrades), or page through aggTrades since a time, up to an id."""
        query: dict[str, Any] = {"symbol": instrument.exchange_symbol, "limit": 1000}
        if after_id and not instrument.symbol.perpetual:
            query["fromId"] = after_id + 1
            body = await rest.get(self._url(instrument, "/historicalTrades"), query, weight=25)
            return parse_trades(body, instrument.exchange_symbol)
        query["startTime"] = since // 1000
        pages: list[Rows] = []
        for _ in range(_MOST_PAGES):
            body = await rest.get(self._url(instrument, "/aggTrades"), query, weight=4)
            pages.append(parse_aggregated(body, instrument.exchange_symbol))
            aggregates = msgspec.json.decode(body)
            if len(aggregates) < 1000 or 0 < until_id <= aggregates[-1]["l"]:
                break
            query = {"symbol": instrument.exchange_symbol, "limit": 1000, "fromId": aggregates[-1]["a"] + 1}
        rows = in_order(np.concatenate(pages))
        return rows[rows["id_low"] > after_id]

    async def candles(
        self, rest: Rest, instrument: Instrument, timeframe: Timeframe, *, since: int, until: int
    ) -> Rows:
        """Page through klines, 1,000 at a time."""
        pages: list[Rows] = []
        while since < until:
            query = {
                "symbol": instrument.exchange_symbol,
                "interval": timeframe.value,
                "startTime": since // 1000,
                "endTime": until // 1000 - 1,
                "limit": 1000,
            }
            page = parse_klines(await rest.get(self._url(instrument, "/klines"), query, weight=5))
            page = page[page["opened_at"] + timeframe.microseconds <= until]
            pages.append(page)
            if len(page) == 0:
                break
            since = int(page["opened_at"][-1]) + timeframe.microseconds
        return joined(pages)

    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates."""
        query = {"symbol": instrument.exchange_symbol, "startTime": since // 1000, "limit": 1000}
        return parse_funding(await rest.get(self._url(instrument, "/fundingRate"), query, weight=1))


def _stream(subscription: Subscription) -> str:
    streams = _FUTURES_STREAMS if subscription.instrument.symbol.perpetual else _STREAMS
    return f"{subscription.instrument.exchange_symbol.lower()}@{streams[subscription.channel]}"
