"""Means, sums, variances and extremes over the last `length` values of a column.

`column[k & mask]` is value k and `column[i & mask]` the newest; `count` values came before it, so the window is full
once `count >= length - 1`. The column is one of the bars or a ring in an indicator's own memory (`ring`).

A running sum forgets nothing: what was rounded away while a huge value was inside stays wrong after it has left. So
every REFRESH bars (a mask), and as soon as a sum has lost three digits to cancellation, the window is summed afresh.

`mask &= WHOLE` changes no mask; it tells LLVM that no index is negative, which halves the cost of a look back.
"""

import numpy as np

from realtime.kernels.fused import fused
from realtime.kernels.kernel import WHOLE, Floats, kernel

REFRESH = 255
LOST = 1e-3


def ring(length: int) -> int:
    """Return the smallest power of two that holds a window and the value that just left it."""
    size = 1
    while size <= length:
        size *= 2
    return size


@kernel
def mean_over(column: Floats, mask: int, i: int, count: int, mean: float, length: int) -> float:
    """Return the mean of the window, given the mean one bar before. A constant gives exactly itself."""
    mask &= WHOLE
    new = column[i & mask]
    if count < length:
        mean += (new - mean) / (count + 1)
    elif count & REFRESH != 0:
        mean = fused(new - column[(i - length) & mask], 1.0 / length, mean)
    else:
        rest = 0.0
        for k in range(i - length + 1, i):
            rest += column[k & mask] - new
        mean = new + rest / length
    return mean


@kernel
def sum_over(
    column: Floats, mask: int, i: int, count: int, total: float, peak: float, length: int
) -> tuple[float, float]:
    """Return the sum of a window of values that are never negative, and the largest since it was summed afresh."""
    mask &= WHOLE
    total += column[i & mask]
    if count >= length:
        total -= column[(i - length) & mask]
        if count & REFRESH == 0 or total < peak * LOST:
            total = 0.0
            for k in range(i - length + 1, i + 1):
                total += column[k & mask]
            peak = total
    return total, total if total > peak else peak


@kernel
def variance_over(
    column: Floats, mask: int, i: int, count: int, origin: float, mean: float, squares: float, peak: float, length: int
) -> tuple[float, float, float, float]:
    """Return an origin, the window's mean above it, its squared deviations summed, and the largest such sum so far.

    Welford's update with a value leaving: no difference of two large squares. All is counted from the newest value
    of the last time that the window was summed afresh (the origin), so a price of 1e9 costs no digits.
    """
    mask &= WHOLE
    new = column[i & mask]
    if count < length:
        origin = new if count == 0 else origin
        change = new - origin - mean
        mean += change / (count + 1)
        squares += change * (new - origin - mean)
    else:
        old, before = column[(i - length) & mask], mean
        mean += (new - old) * (1.0 / length)
        squares += (new - old) * ((new - origin - mean) + (old - origin - before))
        if count & REFRESH == 0 or squares < peak * LOST:
            origin, mean, squares = new, 0.0, 0.0
            for k in range(i - length + 1, i):
                mean += column[k & mask] - new
            mean /= length
            for k in range(i - length + 1, i + 1):
                squares += (column[k & mask] - new - mean) ** 2
            peak = squares
    return origin, mean, squares, squares if squares > peak else peak


@kernel
def deviation(squares: float, count: int) -> float:
    """Return the standard deviation that belongs to a sum of squared deviations, with this divisor."""
    return np.sqrt(squares * (1.0 / count)) if squares > 0.0 else 0.0


@kernel
def highest_at(column: Floats, mask: int, i: int, count: int, at: int, length: int) -> int:
    """Return the index of the window's highest value (the newest of equals), given that of one bar before."""
    mask &= WHOLE
    if count == 0:
        return i
    if at > i - length:
        return i if column[i & mask] >= column[at & mask] else at
    at = i - length + 1
    highest = column[at & mask]
    for k in range(at + 1, i + 1):
        if column[k & mask] >= highest:
            at, highest = k, column[k & mask]
    return at


@kernel
def lowest_at(column: Floats, mask: int, i: int, count: int, at: int, length: int) -> int:
    """Return the index of the window's lowest value (the newest of equals), given that of one bar before."""
    mask &= WHOLE
    if count == 0:
        return i
    if at > i - length:
        return i if column[i & mask] <= column[at & mask] else at
    at = i - length + 1
    lowest = column[at & mask]
    for k in range(at + 1, i + 1):
        if column[k & mask] <= lowest:
            at, lowest = k, column[k & mask]
    return at


@kernel
def extremes_over(
    highs: Floats,
    lows: Floats,
    mask: int,
    i: int,
    count: int,
    place: int,
    top: float,
    bottom: float,
    tails: Floats,
    length: int,
) -> tuple[float, float, float, float]:
    """Return the extremes of the block so far, and those of the window once it is full.

    Bars are cut into blocks of `length`; `place` is the bar's place in its block (0 to length - 1). A window is the
    tail of the last block, whose extremes are all taken when a block begins, and the head of this one: no search, and
    no surprise for the processor. `tails` has room for 2 · length. Van Herk (1992); Gil and Werman (1993).
    """
    mask &= WHOLE
    high, low = highs[i & mask], lows[i & mask]
    if count == 0:
        top, bottom = high, low
    elif place == 0:
        top, bottom = highs[(i - 1) & mask], lows[(i - 1) & mask]
        for k in range(1, length):
            before_high, before_low = highs[(i - k) & mask], lows[(i - k) & mask]
            top = before_high if before_high > top else top
            bottom = before_low if before_low < bottom else bottom
            tails[length - k], tails[2 * length - k] = top, bottom
        top, bottom = high, low
    top = high if high > top else top
    bottom = low if low < bottom else bottom
    if place == length - 1:
        return top, bottom, top, bottom
    over, under = tails[place + 1], tails[length + place + 1]
    return top, bottom, over if over > top else top, under if under < bottom else bottom


@kernel
def following(place: int, length: int) -> int:
    """Return the place after this one in a block."""
    return place + 1 if place < length - 1 else 0


@kernel
def distance_over(column: Floats, mask: int, i: int, mean: float, length: int) -> float:
    """Return the summed distances of the window's values from a mean; four sums side by side keep the CPU busy."""
    mask &= WHOLE
    a = b = c = d = 0.0
    first = i - length + 1
    for k in range(length // 4):
        at = first + 4 * k
        a += abs(column[at & mask] - mean)
        b += abs(column[(at + 1) & mask] - mean)
        c += abs(column[(at + 2) & mask] - mean)
        d += abs(column[(at + 3) & mask] - mean)
    for at in range(i - length % 4 + 1, i + 1):
        a += abs(column[at & mask] - mean)
    return (a + b) + (c + d)


@kernel
def smoothed_twice(
    memory: Floats, count: int, value: float, slow: float, mean: float, length: int, again: int
) -> tuple[float, float]:
    """Return the SMA(length) of a value and the SMA(again) of that; the memory is a ring for each, of equal size."""
    if count >= 0:
        half = memory.shape[0] // 2
        values, slows = memory[:half], memory[half:]
        values[count & (half - 1)] = value
        slow = mean_over(values, half - 1, count, count, slow, length)
        then = count - length + 1
        if then >= 0:
            slows[then & (half - 1)] = slow
            mean = mean_over(slows, half - 1, then, then, mean, again)
    return slow, mean


@kernel
def weighted_over(
    column: Floats, mask: int, i: int, count: int, mean: float, weighted: float, length: int
) -> tuple[float, float]:
    """Return the window's mean and its mean with weights 1 to `length`, the newest counting most."""
    mask &= WHOLE
    new = column[i & mask]
    if count < length:
        weighted += (new - weighted) * (2.0 / (count + 2))
    elif count & REFRESH != 0:
        weighted += (new - mean) * (2.0 / (length + 1))
    else:
        rest = 0.0
        for k in range(1, length):
            rest += k * (column[(i - length + k) & mask] - new)
        weighted = new + rest * 2.0 / (length * (length + 1))
    return mean_over(column, mask, i, count, mean, length), weighted
