"""The vocabulary of markets: exchanges, symbols, timeframes, trades, candles. No input or output.

Times are int64 microseconds UTC. A money amount or quantity is a pair of integers `(mantissa, scale)` with the
value `mantissa / 10**scale`, exactly as the exchange wrote it; float64 appears only inside kernels.
"""

from dataclasses import dataclass
from enum import IntFlag, StrEnum

import numpy as np

from infra.clock import DAY, HOUR, MINUTE
from infra.errors import InputError

COMPOSITE = "composite"
"""The exchange name of all exchanges together."""


class Timeframe(StrEnum):
    """A candle's period, spelled as in ccxt.

    >>> Timeframe("5m").microseconds
    300000000
    """

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def microseconds(self) -> int:
        """Length of the period."""
        return _LENGTHS[self]

    def opened_at(self, at: int) -> int:
        """Return the opening time of the half-open candle that holds `at`, aligned to the Unix epoch."""
        return at - at % _LENGTHS[self]


_LENGTHS = {
    Timeframe.M1: MINUTE,
    Timeframe.M5: 5 * MINUTE,
    Timeframe.M15: 15 * MINUTE,
    Timeframe.H1: HOUR,
    Timeframe.H4: 4 * HOUR,
    Timeframe.D1: DAY,
}
TIMEFRAMES = tuple(Timeframe)

QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "EUR", "BTC", "ETH", "BNB")


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A tradable thing, written `BTC-USDT`, a USDT perpetual `BTC-USDT-PERP`.

    >>> Symbol.parse("BTCUSDT"), Symbol.parse("btc/usdt"), Symbol.parse("BTC/USDT:USDT")
    (Symbol('BTC-USDT'), Symbol('BTC-USDT'), Symbol('BTC-USDT-PERP'))
    """

    base: str
    quote: str
    perpetual: bool = False

    @classmethod
    def parse(cls, text: str) -> "Symbol":
        """Read the canonical spelling and those users type. Raises InputError on anything else."""
        name = text.strip().upper()
        perpetual = name.endswith(("-PERP", ":USDT"))
        name = name.removesuffix("-PERP").removesuffix(":USDT").replace("/", "-").replace("_", "-")
        base, dash, quote = name.partition("-")
        if not dash:
            quote = next((q for q in QUOTES if name.endswith(q) and len(name) > len(q)), "")
            base = name.removesuffix(quote)
        if not (base.isalnum() and quote.isalnum() and base.isascii() and quote.isascii()):
            raise InputError(f"not a symbol: {text!r}; write BTC-USDT, BTC/USDT or BTCUSDT, perpetuals BTC-USDT-PERP")
        return cls(base, quote, perpetual)

    @property
    def compact(self) -> str:
        """The spelling users type: `BTCUSDT`, `BTCUSDT-PERP`."""
        return f"{self.base}{self.quote}{'-PERP' if self.perpetual else ''}"

    def __str__(self) -> str:
        return f"{self.base}-{self.quote}{'-PERP' if self.perpetual else ''}"

    def __repr__(self) -> str:
        return f"Symbol('{self}')"


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One stream of candles: an exchange (or the composite), a symbol, a timeframe.

    >>> str(Series("binance", Symbol.parse("BTCUSDT"), Timeframe.M1))
    'binance:BTC-USDT.1m'
    """

    exchange: str
    symbol: Symbol
    timeframe: Timeframe

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}.{self.timeframe}"


class TradeFlag(IntFlag):
    """Bits of a trade record."""

    TAKER_BUYS = 1
    HEALED = 2  # arrived by REST after a gap
    SIMULATED = 4


TRADE = np.dtype(
    [
        ("traded_at", "<i8"),  # the exchange's time
        ("received_at", "<i8"),
        ("sequence", "<i8"),  # order within one exchange, symbol and traded_at: the trade id where it is a number
        ("id_high", "<u8"),  # upper half of a UUID trade id, else 0
        ("id_low", "<u8"),  # lower half of a UUID trade id, else the trade id
        ("price", "<i8"),  # mantissa
        ("quantity", "<i8"),  # mantissa, in base units
        ("symbol", "<u2"),  # index into the message's symbols
        ("price_scale", "u1"),
        ("quantity_scale", "u1"),
        ("flags", "u1"),  # TradeFlag
        ("_", "V1"),
        ("count", "<u2"),  # trades merged by the exchange into this one; their ids end at id_low
    ]
)
"""One trade, 64 bytes. Order of trades: (traded_at, sequence, id_high, id_low)."""


class Quality(StrEnum):
    """What is known about a candle's trades."""

    COMPLETE = "complete"
    GAP = "gap"  # trades are known to be missing
    HEALED = "healed"  # some were missing and came by REST
    BACKFILLED = "backfilled"  # taken from the exchange's own history


QUALITIES = tuple(Quality)
"""What the number `quality` of a CANDLE row means."""

CANDLE = np.dtype(
    [
        ("opened_at", "<i8"),
        ("known_at", "<i8"),  # the exchange time at which this revision could be known
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),
        ("volume", "<i8"),
        ("taker_buy_volume", "<i8"),
        ("quote_high", "<i8"),  # quote volume: quote_high·2^64 + quote_low, scale price_scale + quantity_scale
        ("quote_low", "<u8"),
        ("trade_count", "<i8"),
        ("first_id_high", "<u8"),
        ("first_id_low", "<u8"),
        ("last_id_high", "<u8"),
        ("last_id_low", "<u8"),
        ("revision", "<u4"),
        ("quality", "u1"),  # index into QUALITIES
        ("price_scale", "u1"),
        ("quantity_scale", "u1"),
        ("_", "V1"),
    ]
)
"""One candle, 128 bytes. Sums are exact integers, so the order in which trades arrived leaves no trace."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an exchange says about one symbol."""

    exchange: str
    symbol: Symbol
    exchange_symbol: str
    tick: str  # smallest price step, decimal string
    lot: str  # smallest quantity step in base units, decimal string
    trading: bool
    contract_size: str = "1"  # base units in one contract; OKX perpetuals trade in contracts


def trade_id_text(high: int, low: int) -> str:
    """Write a trade id as its exchange does.

    >>> trade_id_text(0, 705291099), trade_id_text(0x9dc75fca4bdd4773, 0x9f786f5d7ab2a110)
    ('705291099', '9dc75fca-4bdd-4773-9f78-6f5d7ab2a110')
    """
    if high == 0:
        return str(low)
    digits = f"{high:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def decimal_text(mantissa: int, scale: int) -> str:
    """Write `mantissa / 10**scale` as a plain decimal without superfluous zeros.

    >>> decimal_text(2745100, 2), decimal_text(-5, 3), decimal_text(0, 8)
    ('27451', '-0.005', '0')
    """
    sign, digits = ("-", str(-mantissa)) if mantissa < 0 else ("", str(mantissa))
    if scale:
        digits = digits.rjust(scale + 1, "0")
        units, part = digits[:-scale], digits[-scale:].rstrip("0")
        digits = f"{units}.{part}" if part else units
    return sign + digits
