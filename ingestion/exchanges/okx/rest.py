"""OKX's REST answers. Lists come newest first."""

from typing import Any

import msgspec

from infra.errors import UnavailableError
from ingestion.decoding.records import Amount, TradeId, TradeRows, in_order, milliseconds, positive, times
from ingestion.exchange import ExchangeFunding, Rows
from ingestion.exchanges.okx.contracts import ONE
from ingestion.exchanges.okx.frames import SIDES, closed
from ingestion.market import Instrument, Symbol, Timeframe, decimal_text


def result_of(body: bytes) -> Any:
    """Return what was asked for. Raises UnavailableError with the code of a refusal."""
    answer = msgspec.json.decode(body)
    if answer["code"] != "0":
        raise UnavailableError(f"okx: {answer['msg']} ({answer['code']})")
    return answer["data"]


def parse_instruments(body: bytes) -> list[Instrument]:
    """Read instruments; keep spot quoted and swaps settled in USDT."""
    return [_instrument(listed, swap=listed["instType"] == "SWAP") for listed in result_of(body) if _in_usdt(listed)]


def _in_usdt(listed: dict[str, Any]) -> bool:
    currency = {"SPOT": "quoteCcy", "SWAP": "settleCcy"}.get(listed["instType"])
    return currency is not None and listed[currency] == "USDT"


def _instrument(listed: dict[str, Any], *, swap: bool) -> Instrument:
    """Turn the lots of swaps into base units."""
    size = listed["ctVal"] if swap else "1"
    lot = times(positive(listed["lotSz"]), positive(size))
    return Instrument(
        exchange="okx",
        symbol=Symbol(listed["ctValCcy"] if swap else listed["baseCcy"], "USDT", swap),
        exchange_symbol=listed["instId"],
        tick=listed["tickSz"],
        lot=decimal_text(lot.mantissa, lot.scale),
        trading=listed["state"] == "live",
        contract_size=size,
    )


def parse_trades(body: bytes, symbol: str, contract: Amount = ONE) -> Rows:
    """Read trades and history-trades; there every trade stands alone."""
    rows = TradeRows()
    for trade in result_of(body):
        at = milliseconds(trade["ts"])
        rows.add(
            symbol,
            traded_at=at,
            received_at=at,
            identity=TradeId(0, int(trade["tradeId"])),
            price=positive(trade["px"]),
            quantity=times(positive(trade["sz"]), contract),
            taker_buys=SIDES[trade["side"]],
        )
    return in_order(rows.rows())


def parse_candles(body: bytes, symbol: str, timeframe: Timeframe) -> list[Rows]:
    """Read candles and history-candles, one CANDLE row each, oldest first."""
    return [closed(symbol, columns, timeframe) for columns in reversed(result_of(body))]


def parse_funding(body: bytes) -> list[ExchangeFunding]:
    """Read funding-rate-history, oldest first; a past rate is known from the moment it was paid."""
    return [
        ExchangeFunding(row["instId"], at := milliseconds(row["fundingTime"]), row["fundingRate"], at)
        for row in reversed(result_of(body))
    ]
