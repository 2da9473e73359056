"""Realised volatility from four prices (Garman-Klass): √ mean of ½ ln(high / low)² - (2 ln 2 - 1) ln(close / open)².

Unit: standard deviation of the log return of one bar; times √(bars in a year) it is annual. Not in TA-Lib.
Source: Mark Garman and Michael Klass, On the Estimation of Security Price Volatilities from Historical Data (1980).
"""

import math
from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import garman_klass
from realtime.kernels.window import deviation, ring, sum_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def memory(length: int) -> int:
    """Return the floats of its own ring: the bars' terms."""
    return ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    total: float = 0.0
    peak: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, mask = i & bars.mask, state.age, memory.shape[0] - 1
    reach, move = math.log(bars.high[now] / bars.low[now]), math.log(bars.close[now] / bars.open[now])
    memory[count & mask] = garman_klass(reach, move)
    total, peak = sum_over(memory, mask, count, count, state.total, state.peak, length)
    value = deviation(total, length) if count >= length - 1 else np.nan
    return State(count + 1, total, peak), (value,)
