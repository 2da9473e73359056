"""Realised volatility that a trend leaves alone (Rogers-Satchell): √ mean of ln(h/o) ln(h/c) + ln(l/o) ln(l/c).

Unit: standard deviation of the log return of one bar; times √(bars in a year) it is annual. Not in TA-Lib.
Source: Chris Rogers and Stephen Satchell, Estimating Variance from High, Low and Closing Prices (1991).
"""

import math
from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import rogers_satchell
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
    per_open = 1.0 / bars.open[now]
    up, down = math.log(bars.high[now] * per_open), math.log(bars.low[now] * per_open)
    memory[count & mask] = rogers_satchell(up, down, math.log(bars.close[now] * per_open))
    total, peak = sum_over(memory, mask, count, count, state.total, state.peak, length)
    value = deviation(total, length) if count >= length - 1 else np.nan
    return State(count + 1, total, peak), (value,)
