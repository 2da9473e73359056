"""Trades to candles: a candle is a commutative monoid, so the order in which trades arrive leaves no trace.

Sums are exact integers, extremes are extremes, and open and close belong to the first and last trade by the key
(traded_at, exchange, sequence, id). A CELL is a CANDLE row plus these keys. Scales are the largest of the cell's own
trades: neither another minute nor another order of arrival can change its bytes.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.market import CANDLE, TRADE, Quality, TradeFlag
from realtime.candles.int128 import LARGEST, POWERS, product, scaled, total
from realtime.kernels.kernel import compiled, kernel

Cells = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]

DEPTH = 32
"""Cells kept per series: minutes that may still be revised, and the children of a forming candle."""


def _fields(dtype: np.dtype[np.void]) -> Any:
    """Return names, formats, offsets of a dtype without its padding, which numba cannot read."""
    names = [name for name in dtype.names or () if name != "_"]
    fields: Any = dtype.fields
    formats, offsets = [fields[n][0] for n in names], [fields[n][1] for n in names]
    return {"names": names, "formats": formats, "offsets": offsets, "itemsize": dtype.itemsize}


_KEYS = ("first_at", "first_sequence", "last_at", "last_sequence")
_layout = _fields(CANDLE)
CELL = np.dtype(
    {
        "names": [*_layout["names"], "unused", *_KEYS, "first_exchange", "last_exchange", "gaps", "healed"],
        "formats": [*_layout["formats"], "u1", *["<i8"] * 4, "<u8", "<u8", "<i8", "<i8"],
        "offsets": [*_layout["offsets"], 127, *range(128, 192, 8)],
        "itemsize": 192,
    }
)
"""A candle that can still take trades: CANDLE in its first 128 bytes, then the keys of its first and last trade.

There is no byte without a name: NumPy leaves such bytes undefined when it copies, and a checkpoint holds them all."""
FOLDED = np.dtype(_fields(TRADE))
"""TRADE as kernels see it."""

COMPLETE, GAP, HEALED, BACKFILLED = (
    tuple(Quality).index(Quality(q)) for q in ("complete", "gap", "healed", "backfilled")
)
HEALED_FLAG = int(TradeFlag.HEALED)
BUY_FLAG = int(TradeFlag.TAKER_BUYS)

USED, BAD, LATE, FUTURE, TOO_LARGE, BEFORE = range(6)
"""What became of a trade: used, or the reason why not."""
REASONS = (
    "",
    "price or quantity not positive",
    "later than the revision window",
    "ahead of the exchange's clock",
    "sum exceeds 63 bits",
    "before the line's first live minute",
)
UNSET = LARGEST
"""A time that is not known yet."""


@compiled
def clear(cell: Any, opened_at: int) -> None:
    """Make a cell empty."""
    cell.opened_at, cell.known_at, cell.trade_count = opened_at, 0, 0
    cell.open = cell.high = cell.low = cell.close = 0
    cell.volume = cell.taker_buy_volume = 0
    cell.quote_high, cell.quote_low = 0, np.uint64(0)
    cell.first_id_high = cell.first_id_low = cell.last_id_high = cell.last_id_low = np.uint64(0)
    cell.revision, cell.quality, cell.price_scale, cell.quantity_scale = 0, 0, 0, 0
    cell.first_at = cell.first_sequence = cell.last_at = cell.last_sequence = 0
    cell.first_exchange = cell.last_exchange = np.uint64(0)
    cell.gaps = cell.healed = 0
    cell.unused = 0


@compiled
def raise_scales(cell: Any, price_scale: int, quantity_scale: int) -> bool:
    """Write a cell's amounts with more decimals; False and nothing changed if they would not fit."""
    price, quantity = price_scale - cell.price_scale, quantity_scale - cell.quantity_scale
    if price > 18 or quantity > 18:
        return False
    by_price, by_quantity = POWERS[price], POWERS[quantity]
    if cell.high > LARGEST // by_price or cell.volume > LARGEST // by_quantity:
        return False
    cell.open, cell.high = cell.open * by_price, cell.high * by_price
    cell.low, cell.close = cell.low * by_price, cell.close * by_price
    cell.volume, cell.taker_buy_volume = cell.volume * by_quantity, cell.taker_buy_volume * by_quantity
    high, low = scaled(cell.quote_high, cell.quote_low, by_price)
    cell.quote_high, cell.quote_low = scaled(high, low, by_quantity)
    cell.price_scale, cell.quantity_scale = price_scale, quantity_scale
    return True


@kernel
def before(at: int, exchange: int, sequence: int, high: int, low: int, cell: Any) -> Any:
    """Whether a trade's key comes before the cell's first."""
    if at != cell.first_at:
        return at < cell.first_at
    if exchange != cell.first_exchange:
        return exchange < cell.first_exchange
    if sequence != cell.first_sequence:
        return sequence < cell.first_sequence
    return high < cell.first_id_high or (high == cell.first_id_high and low < cell.first_id_low)


@kernel
def after(at: int, exchange: int, sequence: int, high: int, low: int, cell: Any) -> Any:
    """Whether a trade's key comes after the cell's last."""
    if at != cell.last_at:
        return at > cell.last_at
    if exchange != cell.last_exchange:
        return exchange > cell.last_exchange
    if sequence != cell.last_sequence:
        return sequence > cell.last_sequence
    return high > cell.last_id_high or (high == cell.last_id_high and low > cell.last_id_low)


@compiled
def set_first(cell: Any, price: int, at: int, exchange: int, sequence: int, high: int, low: int) -> None:
    """Let a trade open the cell."""
    cell.open, cell.first_at, cell.first_exchange, cell.first_sequence = price, at, exchange, sequence
    cell.first_id_high, cell.first_id_low = high, low


@compiled
def set_last(cell: Any, price: int, at: int, exchange: int, sequence: int, high: int, low: int) -> None:
    """Let a trade close the cell."""
    cell.close, cell.last_at, cell.last_exchange, cell.last_sequence = price, at, exchange, sequence
    cell.last_id_high, cell.last_id_low = high, low


@compiled
def rescaled(mantissa: int, scale: int, decimals: int) -> Any:
    """Write a mantissa of a scale with as many decimals, -1 if it would not fit."""
    if scale == decimals:
        return mantissa
    if decimals - scale > 18 or mantissa > LARGEST // POWERS[decimals - scale]:
        return -1
    return mantissa * POWERS[decimals - scale]


@kernel
def amounts_for(cell: Any, trade: Any) -> tuple[Any, Any]:
    """Return a trade's price and quantity in the cell's scales, which become the larger ones; -1 if they do not fit."""
    price, quantity = trade.price, trade.quantity
    if cell.volume == 0:
        cell.volume = cell.taker_buy_volume = 0
        cell.price_scale, cell.quantity_scale = trade.price_scale, trade.quantity_scale
    elif trade.price_scale != cell.price_scale or trade.quantity_scale != cell.quantity_scale:
        price_scale = max(trade.price_scale, cell.price_scale)
        quantity_scale = max(trade.quantity_scale, cell.quantity_scale)
        price = rescaled(price, trade.price_scale, price_scale)
        quantity = rescaled(quantity, trade.quantity_scale, quantity_scale)
        if price < 0 or quantity < 0 or not raise_scales(cell, price_scale, quantity_scale):
            price = quantity = -1
    return price, quantity


@kernel
def widen(cell: Any, trade: Any, exchange: Any, price: int, count: int) -> None:
    """Let a trade be the cell's highest or lowest, first or last where it is."""
    # A trade merged from several by the exchange ends at its id.
    first_low = trade.id_low - np.uint64(count - 1) if trade.id_high == 0 else trade.id_low
    if cell.volume == 0:
        cell.high = cell.low = price
        set_first(cell, price, trade.traded_at, exchange, trade.sequence, trade.id_high, first_low)
        set_last(cell, price, trade.traded_at, exchange, trade.sequence, trade.id_high, trade.id_low)
    else:
        cell.high = price if price > cell.high else cell.high
        cell.low = price if price < cell.low else cell.low
        if before(trade.traded_at, exchange, trade.sequence, trade.id_high, first_low, cell):
            set_first(cell, price, trade.traded_at, exchange, trade.sequence, trade.id_high, first_low)
        if after(trade.traded_at, exchange, trade.sequence, trade.id_high, trade.id_low, cell):
            set_last(cell, price, trade.traded_at, exchange, trade.sequence, trade.id_high, trade.id_low)


@kernel
def add(cell: Any, trade: Any, exchange: Any) -> int:
    """Fold one trade into its cell; return USED or TOO_LARGE (then the cell's amounts are as before)."""
    price, quantity = amounts_for(cell, trade)
    if price < 0 or quantity > LARGEST - cell.volume:
        return TOO_LARGE
    count: Any = np.int64(trade.count) if trade.count > 0 else np.int64(1)
    widen(cell, trade, exchange, price, count)
    high, low = product(price, quantity)
    cell.quote_high, cell.quote_low = total(cell.quote_high, cell.quote_low, high, low)
    cell.volume += quantity
    if trade.flags & BUY_FLAG:
        cell.taker_buy_volume += quantity
    if trade.flags & HEALED_FLAG:
        cell.healed = 1
    cell.trade_count += count
    return USED


def exchange_code(name: str) -> int:
    """Return the number by which trades of equal time are ordered across exchanges: the name's first eight bytes."""
    return int.from_bytes(name.encode()[:8].ljust(8, b"\0"), "big")


def folded(trades: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """View TRADE rows as the kernels want them: read-only, so that there is one compiled version."""
    view: npt.NDArray[np.void] = np.ascontiguousarray(trades).view(FOLDED)
    view.flags.writeable = False
    return view
