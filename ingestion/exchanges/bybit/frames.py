"""Bybit's WebSocket frames: their fields, the plain shape of trades, and how to read them."""

import msgspec

from infra.errors import InputError
from ingestion.decoding.grammar import Field, FieldKind, Grammar, Object, Slot, table
from ingestion.decoding.records import TradeRows, amount, candle, milliseconds, positive, trade_id
from ingestion.exchange import Decoded, ExchangeCandle, ExchangeFunding, Rows


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


class _Ticker(msgspec.Struct, rename="camel"):
    symbol: str
    funding_rate: str = ""
    next_funding_time: str = ""


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

SIDES = {"Buy": True, "Sell": False}

_RECORD = Object(
    {
        "T": Field(FieldKind.MILLISECONDS, Slot.TIME),
        "s": Field(FieldKind.SYMBOL),
        "S": Field(FieldKind.CHOICE, Slot.BUYS, ("Sell", "Buy")),
        "v": Field(FieldKind.DECIMAL, Slot.QUANTITY),
        "p": Field(FieldKind.DECIMAL, Slot.PRICE),
        "L": Field(FieldKind.WORD),
        "i": Field(FieldKind.IDENTITY, Slot.ID),
        "BT": Field(FieldKind.FLAG),
        "RPI": Field(FieldKind.FLAG),
        "seq": Field(FieldKind.NUMBER, Slot.SEQUENCE),
    },
    needed=("T s S v p i",),
    record=True,
)
_TOPIC = Object(
    {
        "topic": Field(FieldKind.PREFIX, texts=("publicTrade.",)),
        "type": Field(FieldKind.WORD),
        "ts": Field(FieldKind.MILLISECONDS, Slot.CLOCK),
        "data": Field(FieldKind.LIST, inside=_RECORD),
    },
    needed=("topic data",),
)
TABLE = table(Grammar((_TOPIC,)))


def read_frame(index: int, frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    """Read one frame of any topic, or the answer to a request."""
    content = _FRAME.decode(frame)
    if content.ts:
        decoded.advance(milliseconds(content.ts))
    topic, _, symbol = content.topic.rpartition(".")
    if topic in {"publicTrade", "trade.linear", "trade.spot"}:
        _read_trades(index, content.data, received_at, decoded, rows)
    elif topic.startswith("kline."):
        decoded.candles += [ExchangeCandle(symbol, _closed(k)) for k in _KLINES.decode(content.data) if k.confirm]
    elif topic == "tickers":
        _read_ticker(content, decoded)
    else:
        _read_answer(content, decoded)


def _read_ticker(content: _Frame, decoded: Decoded) -> None:
    ticker = _TICKER.decode(content.data)
    if ticker.funding_rate and ticker.next_funding_time:
        at = milliseconds(ticker.next_funding_time)
        decoded.funding.append(ExchangeFunding(ticker.symbol, at, ticker.funding_rate, milliseconds(content.ts)))


def _read_answer(content: _Frame, decoded: Decoded) -> None:
    if content.op in {"ping", "pong"}:
        decoded.pongs += 1
    elif content.success is True:
        decoded.acknowledged.append(content.req_id)
    elif content.success is False:
        decoded.refused.append((content.req_id, content.ret_msg[:200]))
    else:
        raise InputError(f"not a frame that was subscribed to: {content.topic[:60] or 'no topic'}")


def _read_trades(index: int, data: msgspec.Raw, received_at: int, decoded: Decoded, rows: TradeRows) -> None:
    for raw in _TRADES.decode(data):
        try:
            _add(_TRADE.decode(raw), received_at, rows)
        except (InputError, msgspec.MsgspecError) as error:
            decoded.reject(index, error)


def _add(trade: _Trade, received_at: int, rows: TradeRows) -> None:
    if trade.S not in SIDES:
        raise InputError(f"not a side: {trade.S[:20]!r}")
    rows.add(
        trade.s,
        traded_at=milliseconds(trade.T),
        received_at=received_at,
        identity=trade_id(trade.i),
        price=positive(trade.p),
        quantity=positive(trade.v),
        taker_buys=SIDES[trade.S],
        sequence=trade.seq or None,
    )


def _closed(k: _Kline) -> Rows:
    return candle(
        opened_at=milliseconds(k.start),
        known_at=milliseconds(k.end + 1),
        prices=(k.open, k.high, k.low, k.close),
        volume=amount(k.volume),
        quote_volume=k.turnover,
    )
