"""OKX v5: spot and USDT-margined perpetual swaps.

Sources: OKX API v5, "WebSocket - Overview", "Trades channel", "Candlesticks channel", "Get trades history".
Swaps trade in contracts; quantities are turned into base units with the contract value (`ctVal`) of the instrument.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import msgspec
import numpy as np

from infra import clock
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
from ingestion.exchanges.okx.contracts import Contracts
from ingestion.exchanges.okx.frames import TABLE, read_frame
from ingestion.exchanges.okx.rest import parse_candles, parse_funding, parse_instruments, parse_trades, result_of
from ingestion.market import Instrument, Timeframe

_CHANNELS = {Channel.TRADES: "trades", Channel.KLINES: "candle1m", Channel.FUNDING: "funding-rate"}
_BARS = {Timeframe.M1: "1m", Timeframe.M5: "5m", Timeframe.M15: "15m", Timeframe.H1: "1H"}
_PAGE = 100


class Okx(Exchange):
    """Candles come from a socket of their own; swaps are counted in contracts of which `know` hears the size."""

    name = "okx"
    rest_url = "https://www.okx.com"
    socket: ClassVar[str] = "wss://ws.okx.com:8443"
    dense_trade_ids = True
    ping = b"ping"
    ping_seconds = 15.0  # OKX cuts after 30 s without a message
    server_silence_seconds = 45.0
    limits = Limits(
        streams_per_connection=200,
        streams_per_message=50,
        messages_per_second=2.0,
        connections_per_window=3,
        window_seconds=1.0,
        weight_per_minute=600,  # 20 requests in 2 s per endpoint
        weight_burst=2.0,
        weight_per_endpoint=True,
    )
    fees = Fees(8.0, 10.0, 2.0, 5.0)
    examples = (
        Example(
            b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",'
            b'"px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}',
            symbol="BTC-USDT",
            traded_at=1630048897897000,
            trade_id="130639474",
            price="42219.9",
            quantity="0.12060306",
            taker_buys=True,
            count=3,
        ),
    )

    def __init__(self, simulator_url: str | None = None) -> None:
        """See Exchange."""
        super().__init__(simulator_url)
        self._contracts = Contracts()

    def socket_url(self, subscription: Subscription) -> str:
        """Return the public socket, for candles the business socket."""
        audience = "business" if subscription.channel is Channel.KLINES else "public"
        return f"{self.socket_host(self.socket)}/ws/v5/{audience}"

    def request(self, operation: Operation, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write a subscribe or unsubscribe operation."""
        for subscription in subscriptions:
            self.know(subscription.instrument)
        arguments = [{"channel": _CHANNELS[c], "instId": instrument.exchange_symbol} for c, instrument in subscriptions]
        return msgspec.json.encode({"id": str(request_id), "op": operation, "args": arguments})

    def know(self, instrument: Instrument) -> None:
        """Remember the size of its contract."""
        self._contracts.learn(instrument)

    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read frames."""
        read = partial(read_frame, self._contracts)
        return decode_frames(frames, received_at, read, TABLE, self._contracts.convert)

    async def time(self, rest: Rest) -> int:
        """Return the server's time."""
        return milliseconds(result_of(await rest.get(self._url("/public/time"), {}, weight=1))[0]["ts"])

    def _url(self, path: str) -> str:
        return f"{self.rest_host(self.rest_url)}/api/v5{path}"

    async def instruments(self, rest: Rest) -> list[Instrument]:
        """Return USDT symbols of spot and swaps."""
        instruments: list[Instrument] = []
        for kind in ("SPOT", "SWAP"):
            body = await rest.get(self._url("/public/instruments"), {"instType": kind}, weight=1)
            instruments += parse_instruments(body)
        for instrument in instruments:
            self.know(instrument)
        return instruments

    async def trades(self, rest: Rest, instrument: Instrument, *, after_id: int, since: int, until_id: int = 0) -> Rows:
        """Return the newest 500, or page backwards through history-trades (three months), oldest first.

        Where `until_id` is known, only the newest 500 and what leads back from there are asked for.
        """
        pages: list[Rows] = []
        query: dict[str, Any] = {"instId": instrument.exchange_symbol, "limit": 500}
        path, weight, size = "/market/trades", 0.2, 500
        for _ in range(50):
            body = await rest.get(self._url(path), query, weight=weight)
            page = parse_trades(body, instrument.exchange_symbol, self._contracts.learn(instrument))
            missing = page[(page["id_low"] > after_id) if after_id else (page["traded_at"] >= since)]
            pages.insert(0, missing)
            if len(missing) < len(page) or len(page) < size:
                break
            path, weight, size = "/market/history-trades", 1, _PAGE
            before = int(page["id_low"][0])
            query |= {"type": "1", "limit": _PAGE, "after": str(min(before, until_id + 1) if until_id else before)}
        return in_order(np.concatenate(pages))

    async def candles(
        self, rest: Rest, instrument: Instrument, timeframe: Timeframe, *, since: int, until: int
    ) -> Rows:
        """Page backwards, newest first as OKX gives them: `candles` holds the newest 1,440, 300 at a time."""
        pages: list[Rows] = []
        recent = since > clock.now() - 1_400 * timeframe.microseconds
        path = "/market/candles" if recent else "/market/history-candles"
        while since < until:
            query = {
                "instId": instrument.exchange_symbol,
                "bar": _BARS[timeframe],
                "after": until // 1000,
                "before": since // 1000 - 1,
                "limit": 300 if recent else _PAGE,
            }
            body = await rest.get(self._url(path), query, weight=0.5 if recent else 1)
            rows = parse_candles(body, instrument.exchange_symbol, timeframe)
            rows = [r for r in rows if since <= r["opened_at"][0] <= until - timeframe.microseconds]
            if not rows:
                break
            pages = rows + pages
            until = int(rows[0]["opened_at"][0])
        return joined(pages)

    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates, oldest first."""
        query = {"instId": instrument.exchange_symbol, "before": since // 1000, "limit": _PAGE}
        return parse_funding(await rest.get(self._url("/public/funding-rate-history"), query, weight=1))
