"""Exact integers wider than 64 bits inside kernels: a pair (high int64, low uint64) with the value high·2^64 + low."""

from typing import Any

import numpy as np

from realtime.kernels.kernel import kernel

Wide = tuple[Any, Any]

LARGEST = (1 << 63) - 1
POWERS = np.array([10**n for n in range(19)], np.int64)
"""Powers of ten that fit int64."""
FLOAT_POWERS = np.array([float(10**n) for n in range(23)])
"""Powers of ten that float64 holds exactly, so that mantissa / power is the nearest float64."""

_HALF = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


@kernel
def product(a: Any, b: Any) -> Wide:
    """Multiply two non-negative int64 to 128 bits."""
    x, y = np.uint64(a), np.uint64(b)
    x0, x1, y0, y1 = x & _HALF, x >> _SHIFT, y & _HALF, y >> _SHIFT
    low = x0 * y0
    middle = x1 * y0 + (low >> _SHIFT)
    other = x0 * y1 + (middle & _HALF)
    high = x1 * y1 + (middle >> _SHIFT) + (other >> _SHIFT)
    return np.int64(high), (other << _SHIFT) | (low & _HALF)


@kernel
def total(high: Any, low: Any, more_high: Any, more_low: Any) -> Wide:
    """Add two wide integers."""
    added = low + more_low
    carry = np.int64(1) if added < low else np.int64(0)
    return high + more_high + carry, added


@kernel
def scaled(high: Any, low: Any, power: Any) -> Wide:
    """Multiply a non-negative wide integer by a power of ten; the caller knows that it fits."""
    x0, x1, y0, y1 = low & _HALF, low >> _SHIFT, np.uint64(power) & _HALF, np.uint64(power) >> _SHIFT
    small = x0 * y0
    middle = x1 * y0 + (small >> _SHIFT)
    other = x0 * y1 + (middle & _HALF)
    carried = x1 * y1 + (middle >> _SHIFT) + (other >> _SHIFT)
    return high * power + np.int64(carried), (other << _SHIFT) | (small & _HALF)
