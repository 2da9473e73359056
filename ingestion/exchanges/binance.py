"""Binance: spot (api/v3) and USDT perpetuals (fapi/v1).

Sources: Binance Open Platform, "WebSocket Streams" and "General REST API Information", spot and USDⓈ-M futures.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from ingestion.decoding.batch import decode_frames
from ingestion.decoding.grammar import Field, Grammar, Kind, Object, Slot, table
from ingestion.decoding.records import TradeId, TradeRows, amount, candle, in_order, milliseconds, positive
from ingestion.exchange import (
    Channel,
    Decoded,
    Example,
    Exchange,
    ExchangeCandle,
    ExchangeFunding,
    Fees,
    Limits,
    Rest,
    Rows,
    Subscription,
)
from ingestion.market import CANDLE, Instrument, Symbol, Timeframe


class _Trade(msgspec.Struct, tag_field="e", tag="trade"):
    """Spot: `{"e":"trade","E":1,"s":"ETHUSDT","t":705291099,"p":"4149.74","q":"0.4387","T":1639351062243,"m":true}`."""

    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    E: int = 0


class _AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade"):
    """Futures: one taker order at one price; its trades are f to l, and `l - f + 1` of them."""

    s: str
    a: int
    f: int
    l: int  # noqa: E741  # Binance's name
    p: str
    q: str
    T: int
    m: bool
    E: int = 0


class _Candle(msgspec.Struct):
    t: int
    T: int
    o: str
    h: str
    l: str  # noqa: E741  # Binance's name
    c: str
    v: str
    n: int
    x: bool
    q: str
    V: str
    f: int = 0
    L: int = 0


class _Kline(msgspec.Struct, tag_field="e", tag="kline"):
    s: str
    k: _Candle
    E: int = 0


class _MarkPrice(msgspec.Struct, tag_field="e", tag="markPriceUpdate"):
    s: str
    r: str
    T: int
    E: int = 0


class _Other(msgspec.Struct):
    """Answers to requests, errors, and frames of combined streams."""

    e: str = ""
    id: int | str | None = None
    result: Any = None
    error: Any = None
    code: int = 0
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    stream: str = ""


_EVENT = msgspec.json.Decoder(_Trade | _AggTrade | _Kline | _MarkPrice)
_OTHER = msgspec.json.Decoder(_Other)
_ANY = msgspec.json.Decoder()

_EVENT_OF_TRADE = Object(
    {
        "e": Field(Kind.CHOICE, Slot.SHAPE, ("trade", "aggTrade")),
        "E": Field(Kind.MILLISECONDS, Slot.CLOCK),
        "s": Field(Kind.SYMBOL),
        "t": Field(Kind.NUMBER, Slot.ID),
        "a": Field(Kind.NUMBER),
        "p": Field(Kind.DECIMAL, Slot.PRICE),
        "q": Field(Kind.DECIMAL, Slot.QUANTITY),
        "nq": Field(Kind.WORD),  # without orders of retail price improvement
        "b": Field(Kind.NUMBER),
        "f": Field(Kind.NUMBER, Slot.FIRST),
        "l": Field(Kind.NUMBER, Slot.LAST),
        "T": Field(Kind.MILLISECONDS, Slot.TIME),
        "m": Field(Kind.DENIAL, Slot.BUYS),  # the buyer is the maker
        "M": Field(Kind.FLAG),
        "X": Field(Kind.WORD),
    },
    needed=("e s t p q T m", "e s a f l p q T m"),
    record=True,
)
_COMBINED = Object(
    {"stream": Field(Kind.WORD), "data": Field(Kind.INSIDE, inside=_EVENT_OF_TRADE)}, needed=("stream data",)
)
_TABLE = table(Grammar((_EVENT_OF_TRADE, _COMBINED)))

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

    def subscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write a SUBSCRIBE."""
        return _request("SUBSCRIBE", subscriptions, request_id)

    def unsubscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write an UNSUBSCRIBE."""
        return _request("UNSUBSCRIBE", subscriptions, request_id)

    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read frames."""
        return decode_frames(frames, received_at, _read, _TABLE)

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
                "symbol": instrument.exchange_symbol, "interval": timeframe.value, "startTime": since // 1000,
                "endTime": until // 1000 - 1, "limit": 1000,
            }  # fmt: skip
            page = parse_klines(await rest.get(self._url(instrument, "/klines"), query, weight=5))
            page = page[page["opened_at"] + timeframe.microseconds <= until]
            pages.append(page)
            if len(page) == 0:
                break
            since = int(page["opened_at"][-1]) + timeframe.microseconds
        return np.concatenate(pages) if pages else np.empty(0, CANDLE)

    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates."""
        query = {"symbol": instrument.exchange_symbol, "startTime": since // 1000, "limit": 1000}
        body = await rest.get(self._url(instrument, "/fundingRate"), query, weight=1)
        return [
            ExchangeFunding(row["symbol"], at := milliseconds(row["fundingTime"]), row["fundingRate"], at)
            for row in msgspec.json.decode(body)
        ]


def _request(method: str, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
    return msgspec.json.encode({"method": method, "params": [_stream(s) for s in subscriptions], "id": request_id})


def _stream(subscription: Subscription) -> str:
    streams = _FUTURES_STREAMS if subscription.instrument.symbol.perpetual else _STREAMS
    return f"{subscription.instrument.exchange_symbol.lower()}@{streams[subscription.channel]}"


def _read(_: int, frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    try:
        event = _EVENT.decode(frame)
    except msgspec.ValidationError:
        _read_other(frame, received_at, decoded, rows)
        return
    decoded.clock = max(decoded.clock, milliseconds(event.E)) if event.E else decoded.clock
    match event:
        case _Trade():
            rows.add(
                event.s, traded_at=milliseconds(event.T), received_at=received_at, identity=TradeId(0, event.t),
                price=positive(event.p), quantity=positive(event.q), taker_buys=not event.m,
            )  # fmt: skip
        case _AggTrade():
            rows.add(
                event.s, traded_at=milliseconds(event.T), received_at=received_at, identity=TradeId(0, event.l),
                price=positive(event.p), quantity=positive(event.q), taker_buys=not event.m,
                count=event.l - event.f + 1,
            )  # fmt: skip
        case _Kline(k=k) if k.x:
            decoded.candles.append(ExchangeCandle(event.s, _closed(k)))
        case _MarkPrice() if event.r:
            decoded.funding.append(ExchangeFunding(event.s, milliseconds(event.T), event.r, milliseconds(event.E)))


def _closed(k: _Candle) -> Rows:
    return candle(
        opened_at=milliseconds(k.t), known_at=milliseconds(k.T + 1), prices=(k.o, k.h, k.l, k.c), volume=amount(k.v),
        quote_volume=k.q, taker_buy_volume=amount(k.V), trade_count=k.n, first_id=max(k.f, 0), last_id=max(k.L, 0),
    )  # fmt: skip


def _read_other(frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    other = _OTHER.decode(frame)
    if other.stream and other.data:
        _read(0, bytes(other.data), received_at, decoded, rows)
    elif other.error is not None or other.code:
        decoded.refused.append((str(other.id or ""), str(other.error or other.msg)[:200]))
    elif other.id is not None:
        decoded.acknowledged.append(str(other.id))
    elif other.e == "serverShutdown":
        decoded.notices.append("serverShutdown")
    else:
        _EVENT.decode(frame)  # says what is wrong with it


def parse_instruments(body: bytes, *, perpetual: bool) -> list[Instrument]:
    """Read exchangeInfo of one market; keep what is quoted in USDT."""
    found = []
    for one in msgspec.json.decode(body)["symbols"]:
        if one["quoteAsset"] != "USDT" or (perpetual and one.get("contractType") != "PERPETUAL"):
            continue
        filters = {f["filterType"]: f for f in one["filters"]}
        found.append(
            Instrument(
                "binance", Symbol(one["baseAsset"], "USDT", perpetual), one["symbol"],
                filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"], one["status"] == "TRADING",
            )
        )  # fmt: skip
    return found


def parse_trades(body: bytes, symbol: str) -> Rows:
    """Read `/trades` and `/historicalTrades`."""
    rows = TradeRows()
    for one in msgspec.json.decode(body):
        at = milliseconds(one["time"])
        rows.add(
            symbol, traded_at=at, received_at=at, identity=TradeId(0, one["id"]), price=positive(one["price"]),
            quantity=positive(one["qty"]), taker_buys=not one["isBuyerMaker"],
        )  # fmt: skip
    return in_order(rows.rows())


def parse_aggregated(body: bytes, symbol: str) -> Rows:
    """Read `/aggTrades`."""
    rows = TradeRows()
    for one in msgspec.json.decode(body):
        at = milliseconds(one["T"])
        rows.add(
            symbol, traded_at=at, received_at=at, identity=TradeId(0, one["l"]), price=positive(one["p"]),
            quantity=positive(one["q"]), taker_buys=not one["m"], count=one["l"] - one["f"] + 1,
        )  # fmt: skip
    return in_order(rows.rows())


def parse_klines(body: bytes) -> Rows:
    """Read `/klines`; the last column of each row is unused by Binance."""
    pages = [
        candle(
            opened_at=milliseconds(k[0]), known_at=milliseconds(k[6] + 1), prices=k[1:5], volume=amount(k[5]),
            quote_volume=k[7], trade_count=k[8], taker_buy_volume=amount(k[9]),
        )
        for k in msgspec.json.decode(body)
    ]  # fmt: skip
    return np.concatenate(pages) if pages else np.empty(0, CANDLE)
