"""Ultimate Oscillator: buying pressure over true range, summed over three windows and weighted 4 : 2 : 1.

Buying pressure = close - min(low, close before). Unit: 0-100; a window without range counts 50 (TA-Lib: 0).
Otherwise TA-Lib's ULTOSC.
Source: Larry Williams, The Ultimate Oscillator, Stocks & Commodities (1985).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import true_range
from realtime.kernels.smoothing import share
from realtime.kernels.window import ring, sum_over

PARAMETERS = ({"fast": 7, "medium": 14, "slow": 28},)
OUTPUTS = ("",)


def warmup(fast: int, medium: int, slow: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (slow,)


def memory(fast: int, medium: int, slow: int) -> int:
    """Return the floats of its two rings: buying pressure and true range."""
    return 2 * ring(slow)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    bought_fast: float = 0.0
    bought_peak_fast: float = 0.0
    range_fast: float = 0.0
    range_peak_fast: float = 0.0
    bought_medium: float = 0.0
    bought_peak_medium: float = 0.0
    range_medium: float = 0.0
    range_peak_medium: float = 0.0
    bought_slow: float = 0.0
    bought_peak_slow: float = 0.0
    range_slow: float = 0.0
    range_peak_slow: float = 0.0


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, fast: int, medium: int, slow: int
) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, half = i & bars.mask, state.age - 1, memory.shape[0] // 2
    close, low = bars.close[now], bars.low[now]
    a, ap, b, bp = state.bought_fast, state.bought_peak_fast, state.range_fast, state.range_peak_fast
    c, cp, d, dp = state.bought_medium, state.bought_peak_medium, state.range_medium, state.range_peak_medium
    e, ep, f, fp = state.bought_slow, state.bought_peak_slow, state.range_slow, state.range_peak_slow
    if count >= 0:
        pressures, ranges, mask = memory[:half], memory[half:], half - 1
        pressures[count & mask] = close - (low if low < state.close else state.close)
        ranges[count & mask] = true_range(bars.high[now], low, state.close, 1)
        a, ap = sum_over(pressures, mask, count, count, a, ap, fast)
        b, bp = sum_over(ranges, mask, count, count, b, bp, fast)
        c, cp = sum_over(pressures, mask, count, count, c, cp, medium)
        d, dp = sum_over(ranges, mask, count, count, d, dp, medium)
        e, ep = sum_over(pressures, mask, count, count, e, ep, slow)
        f, fp = sum_over(ranges, mask, count, count, f, fp, slow)
    value = np.nan
    if count >= slow - 1:
        value = (4.0 * share(a, b - a, 50.0) + 2.0 * share(c, d - c, 50.0) + share(e, f - e, 50.0)) / 7.0
    return State(count + 2, close, a, ap, b, bp, c, cp, d, dp, e, ep, f, fp), (value,)
