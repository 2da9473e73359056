"""Candles and indicators as people see them: amounts as decimal strings, times in microseconds."""

import hashlib
from collections.abc import Sequence
from math import isnan

import msgspec
import numpy as np

from ingestion.market import QUALITIES, Series, decimal_text, trade_id_text
from realtime.outputs.stored import StoredIndicators


def indicators_document(
    columns: Sequence[str],
    converged: Sequence[int],
    stored: StoredIndicators,
    *,
    forming: bool = False,
    simulated: bool = False,
) -> dict[str, object]:
    """Write the indicators of one candle as people see them; `unconverged` names values that still depend on the start.

    >>> row = StoredIndicators(1, 0, 62, 0, 20, np.array([55.5, np.nan]).tobytes())
    >>> document = indicators_document(["rsi_14", "sma_50"], [266, 49], row)
    >>> document["values"], document["unconverged"]
    ({'rsi_14': 55.5, 'sma_50': None}, ['rsi_14'])
    """
    values = [None if isnan(value) else value for value in np.frombuffer(stored.values).tolist()]
    warming = [
        name for name, bars, v in zip(columns, converged, values, strict=True) if v is not None and stored.bars < bars
    ]
    return {
        "opened_at": stored.opened_at,
        "known_at": stored.known_at,
        "revision": stored.revision,
        "bars": stored.bars,
        "values": dict(zip(columns, values, strict=True)),
        "unconverged": warming,
        "forming": forming,
        "simulated": simulated,
    }


def candle_document(row: np.void, *, forming: bool = False, simulated: bool = False) -> dict[str, object]:
    """Write one CANDLE row as people see it: amounts as decimal strings, times in microseconds.

    >>> from ingestion.market import CANDLE
    >>> row = np.zeros(1, CANDLE)[0]
    >>> row["open"], row["price_scale"] = 2745150, 2
    >>> candle_document(row)["open"]
    '27451.5'
    """
    price, quantity = int(row["price_scale"]), int(row["quantity_scale"])
    quote = (int(row["quote_high"]) << 64) + int(row["quote_low"])
    volume = int(row["volume"])
    return {
        "opened_at": int(row["opened_at"]),
        "known_at": int(row["known_at"]),
        **{name: decimal_text(int(row[name]), price) for name in ("open", "high", "low", "close")},
        "volume": decimal_text(volume, quantity),
        "quote_volume": decimal_text(quote, price + quantity),
        "taker_buy_volume": decimal_text(int(row["taker_buy_volume"]), quantity),
        "vwap": decimal_text((quote * 200 + volume) // (2 * volume), price + 2) if volume else None,
        "trade_count": int(row["trade_count"]),
        "first_trade_id": trade_id_text(int(row["first_id_high"]), int(row["first_id_low"])),
        "last_trade_id": trade_id_text(int(row["last_id_high"]), int(row["last_id_low"])),
        "quality": QUALITIES[int(row["quality"])].value,
        "revision": int(row["revision"]),
        "forming": forming,
        "simulated": simulated,
    }


def candle_hash(series: Series, row: np.void) -> str:
    """Name one revision of one candle by its content: SHA-256 over the series and its document."""
    document = candle_document(row)
    return hashlib.sha256(msgspec.json.encode([str(series), document])).hexdigest()
