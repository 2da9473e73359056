"""Vortex: |high - low before| and |low - high before|, each summed and divided by the summed true range.

Unit: none, around 1; 1 in a window without range. Not in TA-Lib.
Source: Etienne Botes and Douglas Siepman, The Vortex Indicator, Stocks & Commodities (2010).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import true_range
from realtime.kernels.window import ring, sum_over

PARAMETERS = ({"length": 14},)
OUTPUTS = ("plus", "minus")


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length, length)


def memory(length: int) -> int:
    """Return the floats of its three rings: movement up, movement down, true range."""
    return 3 * ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    plus: float = 0.0
    plus_peak: float = 0.0
    minus: float = 0.0
    minus_peak: float = 0.0
    reach: float = 0.0
    reach_peak: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    now, count, third = i & bars.mask, state.age - 1, memory.shape[0] // 3
    high, low, close, mask = bars.high[now], bars.low[now], bars.close[now], third - 1
    plus, plus_peak, minus, minus_peak = state.plus, state.plus_peak, state.minus, state.minus_peak
    reach, reach_peak = state.reach, state.reach_peak
    if count >= 0:
        rises, falls, ranges = memory[:third], memory[third : 2 * third], memory[2 * third :]
        rises[count & mask] = abs(high - state.low)
        falls[count & mask] = abs(low - state.high)
        ranges[count & mask] = true_range(high, low, state.close, 1)
        plus, plus_peak = sum_over(rises, mask, count, count, plus, plus_peak, length)
        minus, minus_peak = sum_over(falls, mask, count, count, minus, minus_peak, length)
        reach, reach_peak = sum_over(ranges, mask, count, count, reach, reach_peak, length)
    up = down = np.nan
    if count >= length - 1:
        up = plus / reach if reach > 0.0 else 1.0
        down = minus / reach if reach > 0.0 else 1.0
    after = State(count + 2, high, low, close, plus, plus_peak, minus, minus_peak, reach, reach_peak)
    return after, (up, down)
