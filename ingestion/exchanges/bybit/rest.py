"""Bybit's REST answers. Lists come newest first."""

from collections.abc import Sequence
from typing import Any

import msgspec

from infra.errors import UnavailableError
from ingestion.decoding.records import TradeRows, amount, candle, in_order, joined, milliseconds, positive, trade_id
from ingestion.exchange import ExchangeFunding, Rows
from ingestion.exchanges.bybit.frames import SIDES
from ingestion.market import Instrument, Symbol, Timeframe


def result_of(body: bytes) -> Any:
    """Return what was asked for. Raises UnavailableError with the code of a refusal."""
    answer = msgspec.json.decode(body)
    if answer["retCode"] != 0:
        raise UnavailableError(f"bybit: {answer['retMsg']} ({answer['retCode']})")
    return answer["result"]


def parse_instruments(body: bytes) -> list[Instrument]:
    """Read instruments-info of one category; keep what is quoted in USDT and, of `linear`, perpetual."""
    return [
        _instrument(listed)
        for listed in result_of(body)["list"]
        if listed["quoteCoin"] == "USDT" and listed.get("contractType", "LinearPerpetual") == "LinearPerpetual"
    ]


def _instrument(listed: dict[str, Any]) -> Instrument:
    lots = listed["lotSizeFilter"]
    return Instrument(
        exchange="bybit",
        symbol=Symbol(listed["baseCoin"], "USDT", "contractType" in listed),
        exchange_symbol=listed["symbol"],
        tick=listed["priceFilter"]["tickSize"],
        lot=lots.get("qtyStep") or lots["basePrecision"],
        trading=listed["status"] == "Trading",
    )


def parse_trades(body: bytes, symbol: str) -> Rows:
    """Read recent-trade."""
    rows = TradeRows()
    for trade in result_of(body)["list"]:
        at = milliseconds(trade["time"])
        rows.add(
            symbol,
            traded_at=at,
            received_at=at,
            identity=trade_id(trade["execId"]),
            price=positive(trade["price"]),
            quantity=positive(trade["size"]),
            taker_buys=SIDES[trade["side"]],
            sequence=int(trade.get("seq") or 0) or None,
        )
    return in_order(rows.rows())


def parse_klines(body: bytes, timeframe: Timeframe) -> Rows:
    """Read kline, which comes newest first; return oldest first."""
    return joined([_candle(columns, timeframe) for columns in reversed(result_of(body)["list"])])


def _candle(k: Sequence[str], timeframe: Timeframe) -> Rows:
    at = milliseconds(k[0])
    return candle(
        opened_at=at,
        known_at=at + timeframe.microseconds,
        prices=k[1:5],
        volume=amount(k[5]),
        quote_volume=k[6],
    )


def parse_funding(body: bytes) -> list[ExchangeFunding]:
    """Read funding/history, oldest first; a past rate is known from the moment it was paid."""
    return [
        ExchangeFunding(row["symbol"], at := milliseconds(row["fundingRateTimestamp"]), row["fundingRate"], at)
        for row in reversed(result_of(body)["list"])
    ]
