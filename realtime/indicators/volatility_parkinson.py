"""Realised volatility from the bars' ranges (Parkinson): √(Σ ln(high / low)² / (4 · length · ln 2)).

Unit: standard deviation of the log return of one bar; times √(bars in a year) it is annual. Not in TA-Lib.
Source: Michael Parkinson, The Extreme Value Method for Estimating the Variance of the Rate of Return (1980).
"""

import math
from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import ring, sum_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)
PER_RANGE = 1.0 / (4.0 * math.log(2.0))


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
    memory[count & mask] = math.log(bars.high[now] / bars.low[now]) ** 2
    total, peak = sum_over(memory, mask, count, count, state.total, state.peak, length)
    value = math.sqrt(total * PER_RANGE / length) if count >= length - 1 else np.nan
    return State(count + 1, total, peak), (value,)
