"""OKX v5: spot and USDT-margined perpetual swaps.

Sources: OKX API v5, "WebSocket - Overview", "Trades channel", "Candlesticks channel", "Get trades history".
Swaps trade in contracts; quantities are turned into base units with the contract value (`ctVal`) of the instrument.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from infra import clock
from infra.errors import InputError, UnavailableError
from ingestion.decoding.batch import decode_frames
from ingestion.decoding.grammar import Field, Grammar, Kind, Object, Slot, table
from ingestion.decoding.records import (
    MOST_DIGITS,
    Amount,
    TradeId,
    TradeRows,
    amount,
    candle,
    in_order,
    milliseconds,
    positive,
    times,
)
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
from ingestion.market import CANDLE, Instrument, Symbol, Timeframe, decimal_text


class _Trade(msgspec.Struct):
    """The newest of `count` trades of one taker order at one price; see `Okx.examples`."""

    instId: str  # noqa: N815  # OKX's name
    tradeId: str  # noqa: N815
    px: str
    sz: str
    side: str
    ts: str
    count: str = "1"


class _Argument(msgspec.Struct):
    channel: str
    instId: str = ""  # noqa: N815


class _Funding(msgspec.Struct):
    instId: str  # noqa: N815
    fundingRate: str  # noqa: N815
    fundingTime: str  # noqa: N815
    ts: str = "0"


class _Frame(msgspec.Struct):
    """A frame of a channel, or the answer to a request."""

    arg: _Argument | None = None
    data: list[msgspec.Raw] = []
    event: str = ""
    code: str = ""
    msg: str = ""
    id: str = ""


_FRAME = msgspec.json.Decoder(_Frame)
_TRADE = msgspec.json.Decoder(_Trade)
_CANDLE = msgspec.json.Decoder(list[str])
_FUNDING = msgspec.json.Decoder(_Funding)

_CHANNELS = {Channel.TRADES: "trades", Channel.KLINES: "candle1m", Channel.FUNDING: "funding-rate"}
_BARS = {Timeframe.M1: "1m", Timeframe.M5: "5m", Timeframe.M15: "15m", Timeframe.H1: "1H"}
_SIDES = {"buy": True, "sell": False}
_ONE = Amount(1, 0)
_PAGE = 100

_RECORD = Object(
    {
        "instId": Field(Kind.SYMBOL),
        "tradeId": Field(Kind.DIGITS, Slot.ID),
        "px": Field(Kind.DECIMAL, Slot.PRICE),
        "sz": Field(Kind.DECIMAL, Slot.QUANTITY),
        "side": Field(Kind.CHOICE, Slot.BUYS, ("sell", "buy")),
        "ts": Field(Kind.MILLISECONDS_TEXT, Slot.TIME),
        "count": Field(Kind.DIGITS, Slot.COUNT),
        "source": Field(Kind.WORD),
        "seqId": Field(Kind.NUMBER),
    },
    needed=("instId tradeId px sz side ts",),
    record=True,
)
_ARGUMENT = Object({"channel": Field(Kind.CHOICE, texts=("trades",)), "instId": Field(Kind.WORD)}, needed=("channel",))
_DATA = Object(
    {"arg": Field(Kind.INSIDE, inside=_ARGUMENT), "data": Field(Kind.LIST, inside=_RECORD)}, needed=("arg data",)
)
_TABLE = table(Grammar((_DATA,), clocked_by_trades=True))


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
        self._contracts: dict[str, Amount] = {}  # base units in one contract, by instId of swaps

    def socket_url(self, subscription: Subscription) -> str:
        """Return the public socket, for candles the business socket."""
        audience = "business" if subscription.channel is Channel.KLINES else "public"
        return f"{self.socket_host(self.socket)}/ws/v5/{audience}"

    def subscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write a subscribe operation."""
        return self._request("subscribe", subscriptions, request_id)

    def unsubscribe(self, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        """Write an unsubscribe operation."""
        return self._request("unsubscribe", subscriptions, request_id)

    def _request(self, operation: str, subscriptions: Sequence[Subscription], request_id: int) -> bytes:
        for one in subscriptions:
            self._know(one.instrument)
        arguments = [{"channel": _CHANNELS[s.channel], "instId": s.instrument.exchange_symbol} for s in subscriptions]
        return msgspec.json.encode({"id": str(request_id), "op": operation, "args": arguments})

    def know(self, instrument: Instrument) -> None:
        """Remember the size of its contract."""
        self._know(instrument)

    def _know(self, instrument: Instrument) -> Amount:
        """Remember how many base units a contract of this instrument has."""
        known = self._contracts.get(instrument.exchange_symbol)
        if known is None:
            known = self._contracts[instrument.exchange_symbol] = positive(instrument.contract_size)
        return known

    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read frames."""
        return decode_frames(frames, received_at, self._read, _TABLE, self._convert)

    def _read(self, index: int, frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
        if frame == b"pong":
            decoded.pongs += 1
            return
        read = _FRAME.decode(frame)
        if read.event == "error":
            decoded.refused.append((read.id, f"{read.code} {read.msg}"[:200]))
        elif read.event in {"subscribe", "unsubscribe", "channel-conn-count"}:
            decoded.acknowledged.append(read.id)
        elif read.event == "notice":
            decoded.notices.append(f"{read.code} {read.msg}"[:200])
        elif read.arg is None:
            raise InputError("no channel and no event")
        else:
            for raw in read.data:
                try:
                    self._read_one(read.arg, raw, received_at, decoded, rows)
                except (InputError, msgspec.MsgspecError) as error:
                    decoded.rejected.append(Rejected(index, str(error)[:200]))

    def _read_one(self, arg: _Argument, raw: msgspec.Raw, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
        match arg.channel:
            case "trades":
                one = _TRADE.decode(raw)
                at = milliseconds(one.ts)
                decoded.clock = max(decoded.clock, at)
                self._add(one, at, received_at, rows)
            case "candle1m":
                k = _CANDLE.decode(raw)
                if len(k) >= 9 and k[8] == "1":
                    decoded.candles.append(ExchangeCandle(arg.instId, self._closed(arg.instId, k, Timeframe.M1)))
            case "funding-rate":
                f = _FUNDING.decode(raw)
                known = milliseconds(f.ts) if f.ts != "0" else received_at
                decoded.funding.append(ExchangeFunding(f.instId, milliseconds(f.fundingTime), f.fundingRate, known))
            case other:
                raise InputError(f"not a channel that was subscribed to: {other[:60]}")

    def _contract(self, symbol: str) -> Amount:
        """Return the base units in one contract. Raises InputError for a swap that was never listed to us."""
        if symbol not in self._contracts and symbol.endswith("-SWAP"):
            raise InputError(f"{symbol} trades in contracts, and the size of its contract is not known")
        return self._contracts.get(symbol, _ONE)

    def _convert(self, symbols: list[str], rows: Rows) -> bool:
        """Turn contracts into base units in place; False: not all of them can be, by arithmetic of 64 bits."""
        for index, symbol in enumerate(symbols):
            if not symbol.endswith("-SWAP") and symbol not in self._contracts:
                continue
            mine = rows["symbol"] == index
            contract, quantities = self._contracts.get(symbol), rows["quantity"][mine]
            if contract is None or int(quantities.max(initial=0)) * contract.mantissa >= 10**MOST_DIGITS:
                return False
            quantities, scales = quantities * contract.mantissa, rows["quantity_scale"][mine] + np.uint8(contract.scale)
            while (even := (scales > 0) & (quantities % 10 == 0)).any():
                quantities, scales = np.where(even, quantities // 10, quantities), scales - even
            rows["quantity"][mine], rows["quantity_scale"][mine] = quantities, scales
        return True

    def _add(self, one: _Trade, at: int, received_at: int, rows: TradeRows) -> None:
        if one.side not in _SIDES or not one.count.isdigit() or not one.tradeId.isdigit():
            raise InputError(f"side {one.side[:20]!r}, count {one.count[:20]!r} or id {one.tradeId[:30]!r} is wrong")
        rows.add(
            one.instId, traded_at=at, received_at=received_at, identity=TradeId(0, int(one.tradeId)),
            price=positive(one.px), quantity=times(positive(one.sz), self._contract(one.instId)),
            taker_buys=_SIDES[one.side], count=int(one.count),
        )  # fmt: skip

    def _closed(self, symbol: str, k: Sequence[str], timeframe: Timeframe) -> Rows:
        """Read `[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]`; swaps give base units in volCcy."""
        swap = symbol.endswith("-SWAP")
        at = milliseconds(k[0])
        return candle(
            opened_at=at, known_at=at + timeframe.microseconds, prices=k[1:5], volume=amount(k[6] if swap else k[5]),
            quote_volume=k[7] if len(k) > 7 else "0",
        )  # fmt: skip

    async def time(self, rest: Rest) -> int:
        """Return the server's time."""
        return milliseconds(_result(await rest.get(self._url("/public/time"), {}, weight=1))[0]["ts"])

    def _url(self, path: str) -> str:
        return f"{self.rest_host(self.rest_url)}/api/v5{path}"

    async def instruments(self, rest: Rest) -> list[Instrument]:
        """Return USDT symbols of spot and swaps."""
        found: list[Instrument] = []
        for kind in ("SPOT", "SWAP"):
            found += parse_instruments(await rest.get(self._url("/public/instruments"), {"instType": kind}, weight=1))
        for one in found:
            self._know(one)
        return found

    async def trades(self, rest: Rest, instrument: Instrument, *, after_id: int, since: int, until_id: int = 0) -> Rows:
        """Return the newest 500, or page backwards through history-trades (three months), oldest first.

        Where `until_id` is known, only the newest 500 and what leads back from there are asked for.
        """
        pages: list[Rows] = []
        query: dict[str, Any] = {"instId": instrument.exchange_symbol, "limit": 500}
        path, weight, size = "/market/trades", 0.2, 500
        for _ in range(50):
            body = await rest.get(self._url(path), query, weight=weight)
            page = parse_trades(body, instrument.exchange_symbol, self._know(instrument))
            wanted = page[(page["id_low"] > after_id) if after_id else (page["traded_at"] >= since)]
            pages.insert(0, wanted)
            if len(wanted) < len(page) or len(page) < size:
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
        while since < until:
            query = {
                "instId": instrument.exchange_symbol, "bar": _BARS[timeframe], "after": until // 1000,
                "before": since // 1000 - 1, "limit": 300 if recent else _PAGE,
            }  # fmt: skip
            path = "/market/candles" if recent else "/market/history-candles"
            found = _result(await rest.get(self._url(path), query, weight=0.5 if recent else 1))
            rows = [self._closed(instrument.exchange_symbol, k, timeframe) for k in reversed(found)]
            rows = [r for r in rows if since <= r["opened_at"][0] <= until - timeframe.microseconds]
            if not rows:
                break
            pages = rows + pages
            until = int(rows[0]["opened_at"][0])
        return np.concatenate(pages) if pages else np.empty(0, CANDLE)

    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates, oldest first."""
        query = {"instId": instrument.exchange_symbol, "before": since // 1000, "limit": _PAGE}
        rows = _result(await rest.get(self._url("/public/funding-rate-history"), query, weight=1))
        return [
            ExchangeFunding(row["instId"], at := milliseconds(row["fundingTime"]), row["fundingRate"], at)
            for row in reversed(rows)
        ]


def _result(body: bytes) -> Any:
    answer = msgspec.json.decode(body)
    if answer["code"] != "0":
        raise UnavailableError(f"okx: {answer['msg']} ({answer['code']})")
    return answer["data"]


def parse_instruments(body: bytes) -> list[Instrument]:
    """Read instruments; keep spot quoted and swaps settled in USDT. Lots of swaps are turned into base units."""
    found = []
    for one in _result(body):
        swap = one["instType"] == "SWAP"
        if (one["settleCcy"] if swap else one["quoteCcy"]) != "USDT" or one["instType"] not in {"SPOT", "SWAP"}:
            continue
        base = one["ctValCcy"] if swap else one["baseCcy"]
        size = one["ctVal"] if swap else "1"
        lot = times(positive(one["lotSz"]), positive(size))
        found.append(
            Instrument(
                "okx", Symbol(base, "USDT", swap), one["instId"], one["tickSz"],
                decimal_text(lot.mantissa, lot.scale), one["state"] == "live", size,
            )
        )  # fmt: skip
    return found


def parse_trades(body: bytes, symbol: str, contract: Amount = _ONE) -> Rows:
    """Read trades and history-trades; there every trade stands alone."""
    rows = TradeRows()
    for one in _result(body):
        at = milliseconds(one["ts"])
        rows.add(
            symbol, traded_at=at, received_at=at, identity=TradeId(0, int(one["tradeId"])),
            price=positive(one["px"]), quantity=times(positive(one["sz"]), contract), taker_buys=_SIDES[one["side"]],
        )  # fmt: skip
    return in_order(rows.rows())
