"""What one bar says about its range: true range, the typical price, where the close stands in it."""

import math

from realtime.kernels.kernel import kernel

MOVE_WEIGHT = 2.0 * math.log(2.0) - 1.0


@kernel
def true_range(high: float, low: float, before: float, count: int) -> float:
    """Return the bar's range joined with the close before it; the first bar has its own range only (Wilder)."""
    if count > 0:
        high = before if before > high else high
        low = before if before < low else low
    return high - low


@kernel
def place(value: float, low: float, high: float, otherwise: float) -> float:
    """Return where a value stands between low (0) and high (100); `otherwise` where they are equal."""
    return 100.0 * (value - low) / (high - low) if high > low else otherwise


@kernel
def money_flow_multiplier(high: float, low: float, close: float) -> float:
    """Return where the close stands in its bar: -1 at the low, 1 at the high, 0 in a bar without range (Chaikin)."""
    return ((close - low) - (high - close)) / (high - low) if high > low else 0.0


@kernel
def garman_klass(reach: float, move: float) -> float:
    """Return the variance that one bar shows by ln(high / low) and ln(close / open) (Garman and Klass 1980)."""
    return 0.5 * reach * reach - MOVE_WEIGHT * move * move


@kernel
def rogers_satchell(up: float, down: float, move: float) -> float:
    """Return the variance that one bar shows by ln of high, low and close over the open (Rogers and Satchell 1991)."""
    return up * (up - move) + down * (down - move)


@kernel
def max_of(a: float, b: float, c: float) -> float:
    """Return the largest of three numbers, none of them NaN."""
    a = b if b > a else a
    return c if c > a else a


@kernel
def min_of(a: float, b: float, c: float) -> float:
    """Return the smallest of three numbers, none of them NaN."""
    a = b if b < a else a
    return c if c < a else a
