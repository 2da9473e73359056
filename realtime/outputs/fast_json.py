"""JSON of candles and indicators, as fast as the engine publishes them; equal to those of `outputs/documents.py`."""

import hashlib
import struct
from functools import cache

import msgspec

from ingestion.market import QUALITIES, decimal_text, trade_id_text
from realtime.indicators import columns, indicators
from realtime.outputs.documents import indicators_document
from realtime.outputs.stored import StoredIndicators

_ROW = struct.Struct("<8qqQq4QIBBBx")
_QUALITY = [quality.value for quality in QUALITIES]
_encode = msgspec.json.Encoder().encode


def candle_json(row: bytes, *, forming: bool = False, simulated: bool = False) -> bytes:
    """Write one CANDLE row as `documents.candle_document` says it."""
    (
        opened_at,
        known_at,
        open_,
        high,
        low,
        close,
        volume,
        taker,
        quote_high,
        quote_low,
        count,
        first_high,
        first_low,
        last_high,
        last_low,
        revision,
        quality,
        price,
        quantity,
    ) = _ROW.unpack(row)
    quote = (quote_high << 64) + quote_low
    vwap = f'"{decimal_text((quote * 200 + volume) // (2 * volume), price + 2)}"' if volume else "null"
    return (
        f'{{"opened_at":{opened_at},"known_at":{known_at},"open":"{decimal_text(open_, price)}",'
        f'"high":"{decimal_text(high, price)}","low":"{decimal_text(low, price)}",'
        f'"close":"{decimal_text(close, price)}","volume":"{decimal_text(volume, quantity)}",'
        f'"quote_volume":"{decimal_text(quote, price + quantity)}",'
        f'"taker_buy_volume":"{decimal_text(taker, quantity)}","vwap":{vwap},"trade_count":{count},'
        f'"first_trade_id":"{trade_id_text(first_high, first_low)}",'
        f'"last_trade_id":"{trade_id_text(last_high, last_low)}","quality":"{_QUALITY[quality]}",'
        f'"revision":{revision},"forming":{"true" if forming else "false"},'
        f'"simulated":{"true" if simulated else "false"}}}'
    ).encode()


def hashed(series: str, document: bytes) -> str:
    """Return `documents.candle_hash` of a candle's document (neither forming nor simulated)."""
    return hashlib.sha256(b'["' + series.encode() + b'",' + document + b"]").hexdigest()


def indicators_json(stored: StoredIndicators, *, forming: bool = False, simulated: bool = False) -> bytes:
    """Write one row of indicators as `documents.indicators_document` says it."""
    return _encode(indicators_document(columns(), converged(), stored, forming=forming, simulated=simulated))


@cache
def converged() -> tuple[int, ...]:
    """Return, per column, after how many bars a value no longer depends on where the history began."""
    return tuple(indicator.converged for indicator in indicators() for _ in indicator.columns)
