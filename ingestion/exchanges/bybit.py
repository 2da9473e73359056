"""Bybit v5: spot and USDT perpetuals (`linear`).

Sources: Bybit V5 API, "Connect", "Public Trade", "Kline", "Get Kline", "Rate Limit".
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from infra.errors import InputError, UnavailableError
from ingestion.decoding.batch import decode_frames
from ingestion.decoding.grammar import Field, Grammar, Kind, Object, Slot, table
from ingestion.decoding.records import TradeRows, amount, candle, in_order, milliseconds, positive, trade_id
from ingestion.exchange import (
    Channel,
    Decoded,
    Example,
    Exchange,
    ExchangeCandle,
    ExchangeFunding,
    Fees,
    Limits,
    Rejected,
    Rest,
    Rows,
    Subscription,
)
from ingestion.market import CANDLE, Instrument, Symbol, Timeframe


class _Trade(msgspec.Struct):
    """`{"T":1709891679000,"s":"BTCUSDT","S":"Buy","v":"0.010","p":"27451.00","i":"9dc75fca-…","BT":false,"seq":1}`."""

    T: int
    s: str
    S: str
    v: str
    p: str
    i: str
    seq: int = 0


class _Kline(msgspec.Struct):
    start: int
    end: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    turnover: str
    confirm: bool


class _Ticker(msgspec.Struct):
    symbol: str
    fundingRate: str = ""  # noqa: N815  # Bybit's name
    nextFundingTime: str = ""  # noqa: N815


class _Frame(msgspec.Struct):
    """A frame of a topic, or the answer to a request."""

    topic: str = ""
    ts: int = 0
    data: msgspec.Raw = msgspec.Raw(b"")
    op: str = ""
    success: bool | None = None
    ret_msg: str = ""
    req_id: str = ""


_FRAME = msgspec.json.Decoder(_Frame)
_TRADES = msgspec.json.Decoder(list[msgspec.Raw])
_TRADE = msgspec.json.Decoder(_Trade)
_KLINES = msgspec.json.Decoder(list[_Kline])
_TICKER = msgspec.json.Decoder(_Ticker)

_TOPICS = {Channel.TRADES: "publicTrade", Channel.KLINES: "kline.1", Channel.FUNDING: "tickers"}
_INTERVALS = {Timeframe.M1: "1", Timeframe.M5: "5", Timeframe.M15: "15", Timeframe.H1: "60"}
_SIDES = {"Buy": True, "Sell": False}

_RECORD = Object(
    {
        "T": Field(Kind.MILLISECONDS, Slot.TIME),
        "s": Field(Kind.SYMBOL),
        "S": Field(Kind.CHOICE, Slot.BUYS, ("Sell", "Buy")),
        "v": Field(Kind.DECIMAL, Slot.QUANTITY),
        "p": Field(Kind.DECIMAL, Slot.PRICE),
        "L": Field(Kind.WORD),
        "i": Field(Kind.IDENTITY, Slot.ID),
        "BT": Field(Kind.FLAG),
        "RPI": Field(Kind.FLAG),
        "seq": Field(Kind.NUMBER, Slot.SEQUENCE),
    },
    needed=("T s S v p i",),
    record=True,
)
_TOPIC = Object(
    {
        "topic": Field(Kind.PREFIX, texts=("publicTrade.",)),
        "type": Field(Kind.WORD),
        "ts": Field(Kind.MILLISECONDS, Slot.CLOCK),
        "data": Field(Kind.LIST, inside=_RECORD),
    },
    needed=("topic data",),
)
_TABLE = table(Grammar((_TOPIC,)))


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

    def subscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write a subscribe operation."""
        return _request("subscribe", subscriptions, request_id)

    def unsubscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write an unsubscribe operation."""
        return _request("unsubscribe", subscriptions, request_id)

    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read frames."""
        return decode_frames(frames, received_at, _read, _TABLE)

    async def time(self, rest: Rest) -> int:
        """Return the server's time."""
        body = await rest.get(self._url("/time"), {}, weight=1)
        return int(msgspec.json.decode(body)["result"]["timeNano"]) // 1000

    def _url(self, path: str) -> str:
        return f"{self.rest_host(self.rest_url)}/v5/market{path}"

    async def instruments(self, rest: Rest) -> list[Instrument]:
        """Return USDT symbols of both categories."""
        found: list[Instrument] = []
        for category in ("spot", "linear"):
            cursor = ""
            while True:
                query = {"category": category, "limit": 1000, **({"cursor": cursor} if cursor else {})}
                body = await rest.get(self._url("/instruments-info"), query, weight=1)
                found += parse_instruments(body)
                cursor = msgspec.json.decode(body)["result"].get("nextPageCursor", "")
                if not cursor:
                    break
        return found

    async def trades(self, rest: Rest, instrument: Instrument, *, after_id: int, since: int, until_id: int = 0) -> Rows:  # noqa: ARG002  # ids have no order here
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
                "category": _category(instrument), "symbol": instrument.exchange_symbol,
                "interval": _INTERVALS[timeframe], "start": since // 1000, "end": until // 1000 - 1, "limit": 1000,
            }  # fmt: skip
            page = parse_klines(await rest.get(self._url("/kline"), query, weight=1), timeframe)
            page = page[(page["opened_at"] >= since) & (page["opened_at"] + timeframe.microseconds <= until)]
            if len(page) == 0:
                break
            pages.insert(0, page)
            until = int(page["opened_at"][0])
        return np.concatenate(pages) if pages else np.empty(0, CANDLE)

    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates, oldest first."""
        query = {"category": "linear", "symbol": instrument.exchange_symbol, "startTime": since // 1000, "limit": 200}
        rows = _result(await rest.get(self._url("/funding/history"), query, weight=1))["list"]
        return [
            ExchangeFunding(row["symbol"], at := milliseconds(row["fundingRateTimestamp"]), row["fundingRate"], at)
            for row in reversed(rows)
        ]


def _category(instrument: Instrument) -> str:
    return "linear" if instrument.symbol.perpetual else "spot"


def _request(operation: str, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
    topics = [f"{_TOPICS[s.channel]}.{s.instrument.exchange_symbol}" for s in subscriptions]
    return msgspec.json.encode({"req_id": str(request_id), "op": operation, "args": topics})


def _read(index: int, frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    read = _FRAME.decode(frame)
    if read.ts:
        decoded.clock = max(decoded.clock, milliseconds(read.ts))
    topic = read.topic.rpartition(".")[0]
    if topic in {"publicTrade", "trade.linear", "trade.spot"}:
        _read_trades(index, read.data, received_at, decoded, rows)
    elif topic.startswith("kline."):
        symbol = read.topic.rpartition(".")[2]
        decoded.candles += [ExchangeCandle(symbol, _closed(k)) for k in _KLINES.decode(read.data) if k.confirm]
    elif topic == "tickers":
        ticker = _TICKER.decode(read.data)
        if ticker.fundingRate and ticker.nextFundingTime:
            at = milliseconds(ticker.nextFundingTime)
            decoded.funding.append(ExchangeFunding(ticker.symbol, at, ticker.fundingRate, milliseconds(read.ts)))
    elif read.op in {"ping", "pong"}:
        decoded.pongs += 1
    elif read.success is True:
        decoded.acknowledged.append(read.req_id)
    elif read.success is False:
        decoded.refused.append((read.req_id, read.ret_msg[:200]))
    else:
        raise InputError(f"not a frame that was subscribed to: {read.topic[:60] or 'no topic'}")


def _read_trades(index: int, data: msgspec.Raw, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    for raw in _TRADES.decode(data):
        try:
            _add(_TRADE.decode(raw), received_at, rows)
        except (InputError, msgspec.MsgspecError) as error:
            decoded.rejected.append(Rejected(index, str(error)[:200]))


def _add(one: _Trade, received_at: int, rows: TradeRows) -> None:
    if one.S not in _SIDES:
        raise InputError(f"not a side: {one.S[:20]!r}")
    rows.add(
        one.s, traded_at=milliseconds(one.T), received_at=received_at, identity=trade_id(one.i),
        price=positive(one.p), quantity=positive(one.v), taker_buys=_SIDES[one.S], sequence=one.seq or None,
    )  # fmt: skip


def _closed(k: _Kline) -> Rows:
    return candle(
        opened_at=milliseconds(k.start), known_at=milliseconds(k.end + 1), prices=(k.open, k.high, k.low, k.close),
        volume=amount(k.volume), quote_volume=k.turnover,
    )  # fmt: skip


def _result(body: bytes) -> Any:
    answer = msgspec.json.decode(body)
    if answer["retCode"] != 0:
        raise UnavailableError(f"bybit: {answer['retMsg']} ({answer['retCode']})")
    return answer["result"]


def parse_instruments(body: bytes) -> list[Instrument]:
    """Read instruments-info of one category; keep what is quoted in USDT and, of `linear`, perpetual."""
    result = _result(body)
    return [
        Instrument(
            "bybit", Symbol(one["baseCoin"], "USDT", "contractType" in one), one["symbol"],
            one["priceFilter"]["tickSize"],
            one["lotSizeFilter"].get("qtyStep") or one["lotSizeFilter"]["basePrecision"], one["status"] == "Trading",
        )
        for one in result["list"]
        if one["quoteCoin"] == "USDT" and one.get("contractType", "LinearPerpetual") == "LinearPerpetual"
    ]  # fmt: skip


def parse_trades(body: bytes, symbol: str) -> Rows:
    """Read recent-trade."""
    rows = TradeRows()
    for one in _result(body)["list"]:
        at = milliseconds(one["time"])
        rows.add(
            symbol, traded_at=at, received_at=at, identity=trade_id(one["execId"]), price=positive(one["price"]),
            quantity=positive(one["size"]), taker_buys=_SIDES[one["side"]], sequence=int(one.get("seq") or 0) or None,
        )  # fmt: skip
    return in_order(rows.rows())


def parse_klines(body: bytes, timeframe: Timeframe) -> Rows:
    """Read kline, which comes newest first; return oldest first."""
    pages = [
        candle(
            opened_at=(at := milliseconds(k[0])), known_at=at + timeframe.microseconds, prices=k[1:5],
            volume=amount(k[5]), quote_volume=k[6],
        )
        for k in reversed(_result(body)["list"])
    ]  # fmt: skip
    return np.concatenate(pages) if pages else np.empty(0, CANDLE)
