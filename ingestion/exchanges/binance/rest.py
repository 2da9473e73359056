"""Binance's REST answers."""

from collections.abc import Sequence
from typing import Any

import msgspec

from ingestion.decoding.records import TradeId, TradeRows, amount, candle, in_order, joined, milliseconds, positive
from ingestion.exchange import ExchangeFunding, Rows
from ingestion.market import Instrument, Symbol


def parse_instruments(body: bytes, *, perpetual: bool) -> list[Instrument]:
    """Read exchangeInfo of one market; keep what is quoted in USDT."""
    return [
        _instrument(listed, perpetual)
        for listed in msgspec.json.decode(body)["symbols"]
        if listed["quoteAsset"] == "USDT" and (not perpetual or listed.get("contractType") == "PERPETUAL")
    ]


def _instrument(listed: dict[str, Any], perpetual: bool) -> Instrument:
    filters = {rule["filterType"]: rule for rule in listed["filters"]}
    return Instrument(
        exchange="binance",
        symbol=Symbol(listed["baseAsset"], "USDT", perpetual),
        exchange_symbol=listed["symbol"],
        tick=filters["PRICE_FILTER"]["tickSize"],
        lot=filters["LOT_SIZE"]["stepSize"],
        trading=listed["status"] == "TRADING",
    )


def parse_trades(body: bytes, symbol: str) -> Rows:
    """Read `/trades` and `/historicalTrades`."""
    rows = TradeRows()
    for trade in msgspec.json.decode(body):
        at = milliseconds(trade["time"])
        rows.add(
            symbol,
            traded_at=at,
            received_at=at,
            identity=TradeId(0, trade["id"]),
            price=positive(trade["price"]),
            quantity=positive(trade["qty"]),
            taker_buys=not trade["isBuyerMaker"],
        )
    return in_order(rows.rows())


def parse_aggregated(body: bytes, symbol: str) -> Rows:
    """Read `/aggTrades`."""
    rows = TradeRows()
    for fills in msgspec.json.decode(body):
        at = milliseconds(fills["T"])
        rows.add(
            symbol,
            traded_at=at,
            received_at=at,
            identity=TradeId(0, fills["l"]),
            price=positive(fills["p"]),
            quantity=positive(fills["q"]),
            taker_buys=not fills["m"],
            count=fills["l"] - fills["f"] + 1,
        )
    return in_order(rows.rows())


def parse_klines(body: bytes) -> Rows:
    """Read `/klines`; the last column of each row is unused by Binance."""
    return joined([_candle(columns) for columns in msgspec.json.decode(body)])


def _candle(k: Sequence[Any]) -> Rows:
    return candle(
        opened_at=milliseconds(k[0]),
        known_at=milliseconds(k[6] + 1),
        prices=k[1:5],
        volume=amount(k[5]),
        quote_volume=k[7],
        trade_count=k[8],
        taker_buy_volume=amount(k[9]),
    )


def parse_funding(body: bytes) -> list[ExchangeFunding]:
    """Read `/fundingRate`; a past rate is known from the moment it was paid."""
    return [
        ExchangeFunding(row["symbol"], at := milliseconds(row["fundingTime"]), row["fundingRate"], at)
        for row in msgspec.json.decode(body)
    ]
