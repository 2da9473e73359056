"""One fill: lots, what the account can pay, slippage, fees, and the trade's record once the position is flat."""

import numpy as np

from assets.backtests.engine.compiling import inlined
from assets.backtests.engine.layout import (
    CASH,
    CLIPPED,
    ENTRY,
    EXTREME,
    FEES,
    FILLED,
    FUNDING,
    IMPACT,
    LARGEST,
    LEAST_NOTIONAL,
    LEVERAGE,
    LOT,
    MAKER,
    MARK,
    OPENED,
    PAID_FEES,
    PAID_SLIPPAGE,
    PARTIAL,
    PNL,
    REJECTED,
    SHARE,
    SLIP,
    SLIPPAGE,
    STOP,
    TAKE,
    TAKER,
    TRADES,
    TRAIL,
    TURNOVER,
    UNITS,
)
from realtime.kernels.kernel import Floats


@inlined
def worth(books: Floats, account: Floats) -> float:
    """Return the equity at the last known prices."""
    total = float(account[CASH])
    for s in range(books.shape[0]):
        total += books[s, UNITS] * books[s, MARK]
    return total


@inlined
def in_lots(units: float, lot: float) -> float:
    """Round a quantity down to whole lots; a millionth of a lot is rounding, not a part of one."""
    return float(np.floor(units / lot + 1e-6) * lot)


@inlined
def payable(s: int, price: float, fee: float, books: Floats, account: Floats, terms: Floats) -> float:
    """Return the units of a symbol by which the account can still increase its positions."""
    equity = account[CASH] + books[s, UNITS] * price
    gross = abs(books[s, UNITS]) * price
    for other in range(books.shape[0]):
        if other != s:
            equity += books[other, UNITS] * books[other, MARK]
            gross += abs(books[other, UNITS]) * books[other, MARK]
    leverage = terms[s, LEVERAGE]
    return float(max(0.0, leverage * equity - gross) / (price * (1.0 + leverage * fee)))


@inlined
def record(s: int, t: int, price: float, reason: int, books: Floats, account: Floats, trades: Floats) -> None:
    """Write down a trade that has ended, or that is still open at the end."""
    book, at = books[s], int(account[TRADES])
    side = 1.0 if book[LARGEST] > 0.0 else -1.0
    net = book[PNL] - book[FEES] - book[FUNDING]
    values = (
        float(s),
        side,
        book[OPENED],
        float(t),
        abs(book[LARGEST]),
        book[ENTRY],
        price,
        net,
        book[FEES],
        book[SLIPPAGE],
        book[FUNDING],
        float(reason),
    )
    if at < trades.shape[0]:
        for n in range(len(values)):
            trades[at, n] = values[n]
    account[TRADES] += 1.0


@inlined
def clear(book: Floats) -> None:
    """Empty the row of a position that is gone, with its protective orders."""
    book[UNITS] = book[ENTRY] = book[PNL] = book[FEES] = book[SLIPPAGE] = book[FUNDING] = book[LARGEST] = 0.0
    book[STOP] = book[TAKE] = book[TRAIL] = book[EXTREME] = np.nan


@inlined
def pay(
    s: int, units: float, price: float, maker: bool, volume: float, books: Floats, account: Floats, terms: Floats
) -> float:
    """Move signed units at a price that slips for takers; return the price paid."""
    book, share = books[s], 0.0
    if volume > 0.0:
        share = min(1.0, abs(units) / volume)
    slip = 0.0 if maker else terms[s, SLIP] + terms[s, IMPACT] * share * share
    paid = price * (1.0 + slip) if units > 0.0 else price * (1.0 - slip)
    fee = abs(units) * paid * terms[s, MAKER if maker else TAKER]
    account[CASH] -= units * paid + fee
    account[PAID_FEES] += fee
    account[PAID_SLIPPAGE] += abs(units * (paid - price))
    account[TURNOVER] += abs(units) * paid
    book[FEES] += fee
    book[SLIPPAGE] += abs(units * (paid - price))
    book[FILLED] += abs(units)
    return paid


@inlined
def reduce(
    s: int,
    t: int,
    units: float,
    price: float,
    maker: bool,
    volume: float,
    reason: int,
    books: Floats,
    account: Floats,
    terms: Floats,
    trades: Floats,
) -> None:
    """Bring a position nearer to flat by signed units; less than half a lot is flat, and ends the trade."""
    book = books[s]
    side, size = (1.0 if units > 0.0 else -1.0), abs(units)
    paid = pay(s, units, price, maker, volume, books, account, terms)
    book[PNL] += size * (paid - book[ENTRY]) * -side
    book[UNITS] += units
    if abs(book[UNITS]) < 0.5 * terms[s, LOT]:
        record(s, t, paid, reason, books, account, trades)
        clear(book)


@inlined
def increase(
    s: int,
    t: int,
    units: float,
    price: float,
    maker: bool,
    volume: float,
    books: Floats,
    account: Floats,
    terms: Floats,
) -> bool:
    """Bring a position further from flat by signed units, as far as the account can pay; return False if refused."""
    book, lot = books[s], terms[s, LOT]
    side, size = (1.0 if units > 0.0 else -1.0), abs(units)
    fee = terms[s, MAKER if maker else TAKER] + (0.0 if maker else terms[s, SLIP] + terms[s, IMPACT])
    most = in_lots(payable(s, price, fee, books, account, terms), lot)
    if size > most:
        size = most
        account[CLIPPED] += 1.0
    if size * price < terms[s, LEAST_NOTIONAL] or size <= 0.0:
        account[REJECTED] += 1.0
        return False
    paid = pay(s, side * size, price, maker, volume, books, account, terms)
    before = abs(book[UNITS])
    if before == 0.0:
        book[OPENED], book[EXTREME] = float(t), paid
    book[ENTRY] = (before * book[ENTRY] + size * paid) / (before + size)
    book[UNITS] += side * size
    if abs(book[UNITS]) > abs(book[LARGEST]):
        book[LARGEST] = book[UNITS]
    return True


@inlined
def fill(
    s: int,
    t: int,
    units: float,
    price: float,
    maker: bool,
    volume: float,
    reason: int,
    books: Floats,
    account: Floats,
    terms: Floats,
    trades: Floats,
) -> bool:
    """Fill signed units as far as volume, lots and cash allow; return whether nothing of them is left to fill."""
    book, lot = books[s], terms[s, LOT]
    side, size = (1.0 if units > 0.0 else -1.0), abs(units)
    room, complete = in_lots(max(0.0, terms[s, SHARE] * volume - book[FILLED]), lot), True
    if size > room:
        size, complete = room, False
        account[PARTIAL] += 1.0
    closing = min(size, abs(book[UNITS])) if book[UNITS] * side < 0.0 else 0.0
    if closing > 0.0:
        reduce(s, t, side * closing, price, maker, volume, reason, books, account, terms, trades)
    opening = in_lots(size - closing, lot)
    if opening > 0.0 and not increase(s, t, side * opening, price, maker, volume, books, account, terms):
        return True  # what is too small, or cannot be paid, does not wait for a better bar
    return complete
