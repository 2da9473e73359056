"""Binance's WebSocket frames: their fields, the plain shape of trades, and how to read them."""

from typing import Any

import msgspec

from ingestion.decoding.grammar import Field, FieldKind, Grammar, Object, Slot, table
from ingestion.decoding.records import TradeId, TradeRows, amount, candle, milliseconds, positive
from ingestion.exchange import Decoded, ExchangeCandle, ExchangeFunding, Rows


class _Trade(msgspec.Struct, tag_field="e", tag="trade"):
    """Spot: `{"e":"trade","E":1,"s":"ETHUSDT","t":705291099,"p":"4149.74","q":"0.4387","T":1639351062243,"m":true}`."""

    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    E: int = 0


class _AggTrade(msgspec.Struct, tag_field="e", tag="aggTrade", rename={"first_id": "f", "last_id": "l"}):
    """Futures: one taker order at one price, and the ids of its first and last trade."""

    s: str
    a: int
    first_id: int
    last_id: int
    p: str
    q: str
    T: int
    m: bool
    E: int = 0


class _Candle(msgspec.Struct, rename={"low": "l"}):
    t: int
    T: int
    o: str
    h: str
    low: str
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

_EVENT_OF_TRADE = Object(
    {
        "e": Field(FieldKind.CHOICE, Slot.SHAPE, ("trade", "aggTrade")),
        "E": Field(FieldKind.MILLISECONDS, Slot.CLOCK),
        "s": Field(FieldKind.SYMBOL),
        "t": Field(FieldKind.NUMBER, Slot.ID),
        "a": Field(FieldKind.NUMBER),
        "p": Field(FieldKind.DECIMAL, Slot.PRICE),
        "q": Field(FieldKind.DECIMAL, Slot.QUANTITY),
        "nq": Field(FieldKind.WORD),  # without orders of retail price improvement
        "b": Field(FieldKind.NUMBER),
        "f": Field(FieldKind.NUMBER, Slot.FIRST),
        "l": Field(FieldKind.NUMBER, Slot.LAST),
        "T": Field(FieldKind.MILLISECONDS, Slot.TIME),
        "m": Field(FieldKind.DENIAL, Slot.BUYS),  # the buyer is the maker
        "M": Field(FieldKind.FLAG),
        "X": Field(FieldKind.WORD),
    },
    needed=("e s t p q T m", "e s a f l p q T m"),
    record=True,
)
_COMBINED = Object(
    {"stream": Field(FieldKind.WORD), "data": Field(FieldKind.INSIDE, inside=_EVENT_OF_TRADE)}, needed=("stream data",)
)
TABLE = table(Grammar((_EVENT_OF_TRADE, _COMBINED)))


def read_frame(_: int, frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    """Read one frame of any stream, or the answer to a request."""
    try:
        event = _EVENT.decode(frame)
    except msgspec.ValidationError:
        _read_other(frame, received_at, decoded, rows)
        return
    if event.E:
        decoded.advance(milliseconds(event.E))
    match event:
        case _Trade():
            _add(event, event.t, 1, received_at, rows)
        case _AggTrade():
            _add(event, event.last_id, event.last_id - event.first_id + 1, received_at, rows)
        case _Kline(k=k) if k.x:
            decoded.candles.append(ExchangeCandle(event.s, _closed(k)))
        case _MarkPrice() if event.r:
            decoded.funding.append(ExchangeFunding(event.s, milliseconds(event.T), event.r, milliseconds(event.E)))


def _add(event: _Trade | _AggTrade, last_id: int, count: int, received_at: int, rows: TradeRows) -> None:
    rows.add(
        event.s,
        traded_at=milliseconds(event.T),
        received_at=received_at,
        identity=TradeId(0, last_id),
        price=positive(event.p),
        quantity=positive(event.q),
        taker_buys=not event.m,
        count=count,
    )


def _closed(k: _Candle) -> Rows:
    return candle(
        opened_at=milliseconds(k.t),
        known_at=milliseconds(k.T + 1),
        prices=(k.o, k.h, k.low, k.c),
        volume=amount(k.v),
        quote_volume=k.q,
        taker_buy_volume=amount(k.V),
        trade_count=k.n,
        first_id=max(k.f, 0),
        last_id=max(k.L, 0),
    )


def _read_other(frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    other = _OTHER.decode(frame)
    if other.stream and other.data:
        read_frame(0, bytes(other.data), received_at, decoded, rows)
    elif other.error is not None or other.code:
        decoded.refused.append((str(other.id or ""), str(other.error or other.msg)[:200]))
    elif other.id is not None:
        decoded.acknowledged.append(str(other.id))
    elif other.e == "serverShutdown":
        decoded.notices.append("serverShutdown")
    else:
        _EVENT.decode(frame)  # says what is wrong with it
