"""From what exchanges write to records: decimal strings, trade ids, TRADE and CANDLE rows."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from infra.errors import InputError
from ingestion.market import CANDLE, QUALITIES, TRADE, Quality, TradeFlag
from ingestion.messages import Rows

MILLISECOND = 1_000
MOST_DIGITS = 18
LATEST = 1 << 62
_TRADE = struct.Struct("<qqqQQqqHBBBxH")
_CANDLE = struct.Struct("<9qQq4QI3Bx")


class Amount(NamedTuple):
    """An exact positive decimal, `mantissa / 10**scale`, without superfluous zeros."""

    mantissa: int
    scale: int


NOTHING = Amount(0, 0)


def amount(text: str) -> Amount:
    """Read a plain decimal as exchanges write it. Raises InputError on signs, exponents, NaN and too many digits.

    >>> amount("27451.00"), amount("0.00001230"), amount("7")
    (Amount(mantissa=27451, scale=0), Amount(mantissa=123, scale=7), Amount(mantissa=7, scale=0))
    """
    units, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    digits = units + decimals
    if not (digits.isascii() and digits.isdigit()) or len(digits) > MOST_DIGITS:
        raise InputError(f"not a plain decimal of at most {MOST_DIGITS} digits: {text[:40]!r}")
    return Amount(int(digits), len(decimals))


def positive(text: str) -> Amount:
    """Read an amount that must be above zero: a price or a traded quantity."""
    exact = amount(text)
    if exact.mantissa <= 0:
        raise InputError(f"not above zero: {text[:40]!r}")
    return exact


def times(factor: Amount, other: Amount) -> Amount:
    """Multiply exactly; drop superfluous zeros.

    >>> times(Amount(25, 0), Amount(1, 2))
    Amount(mantissa=25, scale=2)
    """
    mantissa, scale = factor.mantissa * other.mantissa, factor.scale + other.scale
    while scale and mantissa % 10 == 0:
        mantissa, scale = mantissa // 10, scale - 1
    if mantissa >= 10**MOST_DIGITS:
        raise InputError(f"more than {MOST_DIGITS} digits in a product")
    return Amount(mantissa, scale)


class TradeId(NamedTuple):
    """Both halves of an id as TRADE holds it."""

    high: int
    low: int


def trade_id(text: str) -> TradeId:
    """Read a numeric or a UUID trade id. Raises InputError.

    >>> trade_id("2290000000061666327"), trade_id("9dc75fca-4bdd-4773-9f78-6f5d7ab2a110").high == 0x9dc75fca4bdd4773
    (TradeId(high=0, low=2290000000061666327), True)
    """
    if text.isascii() and text.isdigit() and len(text) < 20:
        return TradeId(0, int(text))
    digits = text.replace("-", "")
    if len(digits) != 32:
        raise InputError(f"not a trade id: {text[:50]!r}")
    try:
        return TradeId(int(digits[:16], 16), int(digits[16:], 16))
    except ValueError as error:
        raise InputError(f"not a trade id: {text[:50]!r}") from error


def milliseconds(value: int | str) -> int:
    """Read a time in milliseconds as microseconds. Raises InputError when it is none of this millennium.

    >>> milliseconds("1630048897897")
    1630048897897000
    """
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()) or len(value) > 15:
            raise InputError(f"not a time in milliseconds: {value[:40]!r}")
        value = int(value)
    if not 0 < value < LATEST // MILLISECOND:
        raise InputError(f"not a time in milliseconds: {value}")
    return value * MILLISECOND


class TradeRows:
    """Collects TRADE rows and the exchange symbols they index."""

    def __init__(self) -> None:
        """Start empty."""
        self._packed: list[bytes] = []
        self._indexes: dict[str, int] = {}

    def add(
        self,
        symbol: str,
        *,
        traded_at: int,
        received_at: int,
        identity: TradeId,
        price: Amount,
        quantity: Amount,
        taker_buys: bool,
        sequence: int | None = None,
        count: int = 1,
        flags: int = 0,
    ) -> None:
        """Add one trade; `sequence` defaults to the id where it is a number."""
        index = self._indexes.get(symbol, len(self._indexes))
        order = sequence if sequence is not None else (identity.low if identity.high == 0 else 0)
        if not (0 <= order < LATEST * 2 and 0 < count < 1 << 16):
            raise InputError(f"sequence {order} or count {count} is out of range")
        try:
            packed = _TRADE.pack(
                traded_at,
                received_at,
                order,
                *identity,
                price.mantissa,
                quantity.mantissa,
                index,
                price.scale,
                quantity.scale,
                flags | (TradeFlag.TAKER_BUYS if taker_buys else 0),
                count,
            )
        except struct.error as error:
            raise InputError(f"a number is out of range: {error}") from error
        self._packed.append(packed)
        self._indexes.setdefault(symbol, index)

    def index(self, symbol: str) -> int:
        """Return the index of a symbol, a new one if it is new."""
        return self._indexes.setdefault(symbol, len(self._indexes))

    def take(self, rows: Rows) -> None:
        """Add rows whose symbols are indexed by `index`."""
        self._packed.append(rows.tobytes())

    @property
    def symbols(self) -> list[str]:
        """The exchange symbols in the order of their indexes."""
        return list(self._indexes)

    def rows(self) -> Rows:
        """Return all rows added."""
        return np.frombuffer(b"".join(self._packed), TRADE)


def in_order(rows: Rows) -> Rows:
    """Sort trades as they happened."""
    return rows[np.lexsort((rows["id_low"], rows["id_high"], rows["sequence"], rows["traded_at"]))]


def candle(
    *,
    opened_at: int,
    known_at: int,
    prices: Sequence[str],
    volume: Amount,
    quote_volume: str = "0",
    taker_buy_volume: Amount = NOTHING,
    trade_count: int = 0,
    first_id: int = 0,
    last_id: int = 0,
) -> Rows:
    """Return one CANDLE row from an exchange's own candle; prices are open, high, low, close."""
    amounts = [positive(text) for text in prices]
    price_scale = max(a.scale for a in amounts)
    quantity_scale = max(volume.scale, taker_buy_volume.scale)
    quote = _scaled(_rounded(quote_volume, price_scale + quantity_scale), price_scale + quantity_scale)
    volumes = (_scaled(volume, quantity_scale), _scaled(taker_buy_volume, quantity_scale))
    quote_halves = (quote >> 64, quote & (2**64 - 1))
    ids = (0, first_id, 0, last_id)  # numbers: their upper halves are empty
    packed = _CANDLE.pack(
        opened_at,
        known_at,
        *(_scaled(price, price_scale) for price in amounts),
        *volumes,
        *quote_halves,
        trade_count,
        *ids,
        0,
        QUALITIES.index(Quality.BACKFILLED),
        price_scale,
        quantity_scale,
    )
    return np.frombuffer(packed, CANDLE)


def joined(candles: Sequence[Rows]) -> Rows:
    """Return CANDLE rows one after the other; there may be none."""
    return np.concatenate(candles) if candles else np.empty(0, CANDLE)


def _scaled(value: Amount, scale: int) -> int:
    return int(value.mantissa * 10 ** (scale - value.scale))


def _rounded(text: str, scale: int) -> Amount:
    """Read a quote volume, whose digits exchanges round as they like."""
    units, _, decimals = text.partition(".")
    decimals = decimals[:scale].rstrip("0")
    digits = units + decimals
    if not digits.isdigit() or len(digits) > 2 * MOST_DIGITS:
        raise InputError(f"not a plain decimal: {text[:40]!r}")
    return Amount(int(digits), len(decimals))
