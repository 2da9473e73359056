"""OKX's WebSocket frames: their fields, the plain shape of trades, and how to read them."""

from collections.abc import Sequence

import msgspec

from infra.errors import InputError
from ingestion.decoding.grammar import Field, FieldKind, Grammar, Object, Slot, table
from ingestion.decoding.records import TradeId, TradeRows, amount, candle, milliseconds, positive
from ingestion.exchange import Decoded, ExchangeCandle, ExchangeFunding, Rows
from ingestion.exchanges.okx.contracts import Contracts, is_swap
from ingestion.market import Timeframe


class _Trade(msgspec.Struct, rename="camel"):
    """The newest of `count` trades of one taker order at one price; see `Okx.examples`."""

    inst_id: str
    trade_id: str
    px: str
    sz: str
    side: str
    ts: str
    count: str = "1"


class _Argument(msgspec.Struct, rename="camel"):
    channel: str
    inst_id: str = ""


class _Funding(msgspec.Struct, rename="camel"):
    inst_id: str
    funding_rate: str
    funding_time: str
    ts: str = "0"


class _Frame(msgspec.Struct):
    """A frame of a channel, or the answer to a request."""

    arg: _Argument | None = None
    data: list[msgspec.Raw] = []
    event: str = ""
    code: str = ""
    msg: str = ""
    id: str = ""


SIDES = {"buy": True, "sell": False}
_FRAME = msgspec.json.Decoder(_Frame)
_TRADE = msgspec.json.Decoder(_Trade)
_CANDLE = msgspec.json.Decoder(list[str])
_FUNDING = msgspec.json.Decoder(_Funding)

_RECORD = Object(
    {
        "instId": Field(FieldKind.SYMBOL),
        "tradeId": Field(FieldKind.DIGITS, Slot.ID),
        "px": Field(FieldKind.DECIMAL, Slot.PRICE),
        "sz": Field(FieldKind.DECIMAL, Slot.QUANTITY),
        "side": Field(FieldKind.CHOICE, Slot.BUYS, ("sell", "buy")),
        "ts": Field(FieldKind.MILLISECONDS_TEXT, Slot.TIME),
        "count": Field(FieldKind.DIGITS, Slot.COUNT),
        "source": Field(FieldKind.WORD),
        "seqId": Field(FieldKind.NUMBER),
    },
    needed=("instId tradeId px sz side ts",),
    record=True,
)
_ARGUMENT = Object(
    {"channel": Field(FieldKind.CHOICE, texts=("trades",)), "instId": Field(FieldKind.WORD)}, needed=("channel",)
)
_DATA = Object(
    {"arg": Field(FieldKind.INSIDE, inside=_ARGUMENT), "data": Field(FieldKind.LIST, inside=_RECORD)},
    needed=("arg data",),
)
TABLE = table(Grammar((_DATA,), clocked_by_trades=True))


def read_frame(
    contracts: Contracts, index: int, frame: bytes, received_at: int, decoded: Decoded, rows: TradeRows
) -> None:
    """Read one frame of any channel, or the answer to a request."""
    if frame == b"pong":
        decoded.pongs += 1
        return
    content = _FRAME.decode(frame)
    if content.event == "error":
        decoded.refused.append((content.id, f"{content.code} {content.msg}"[:200]))
    elif content.event in {"subscribe", "unsubscribe", "channel-conn-count"}:
        decoded.acknowledged.append(content.id)
    elif content.event == "notice":
        decoded.notices.append(f"{content.code} {content.msg}"[:200])
    elif content.arg is None:
        raise InputError("no channel and no event")
    else:
        for raw in content.data:
            try:
                _read_record(contracts, content.arg, raw, received_at, decoded, rows)
            except (InputError, msgspec.MsgspecError) as error:
                decoded.reject(index, error)


def _read_record(
    contracts: Contracts, arg: _Argument, raw: msgspec.Raw, received_at: int, decoded: Decoded, rows: TradeRows
) -> None:
    match arg.channel:
        case "trades":
            trade = _TRADE.decode(raw)
            decoded.advance(milliseconds(trade.ts))
            _add(contracts, trade, received_at, rows)
        case "candle1m":
            columns = _CANDLE.decode(raw)
            if len(columns) >= 9 and columns[8] == "1":
                decoded.candles.append(ExchangeCandle(arg.inst_id, closed(arg.inst_id, columns, Timeframe.M1)))
        case "funding-rate":
            rate = _FUNDING.decode(raw)
            known_at = milliseconds(rate.ts) if rate.ts != "0" else received_at
            funded_at = milliseconds(rate.funding_time)
            decoded.funding.append(ExchangeFunding(rate.inst_id, funded_at, rate.funding_rate, known_at))
        case other:
            raise InputError(f"not a channel that was subscribed to: {other[:60]}")


def _add(contracts: Contracts, trade: _Trade, received_at: int, rows: TradeRows) -> None:
    if trade.side not in SIDES or not trade.count.isdigit() or not trade.trade_id.isdigit():
        side, count, identity = trade.side[:20], trade.count[:20], trade.trade_id[:30]
        raise InputError(f"side {side!r}, count {count!r} or id {identity!r} is wrong")
    rows.add(
        trade.inst_id,
        traded_at=milliseconds(trade.ts),
        received_at=received_at,
        identity=TradeId(0, int(trade.trade_id)),
        price=positive(trade.px),
        quantity=contracts.base_units(trade.inst_id, positive(trade.sz)),
        taker_buys=SIDES[trade.side],
        count=int(trade.count),
    )


def closed(symbol: str, k: Sequence[str], timeframe: Timeframe) -> Rows:
    """Read `[ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]`; swaps give base units in volCcy."""
    at = milliseconds(k[0])
    return candle(
        opened_at=at,
        known_at=at + timeframe.microseconds,
        prices=k[1:5],
        volume=amount(k[6] if is_swap(symbol) else k[5]),
        quote_volume=k[7] if len(k) > 7 else "0",
    )
