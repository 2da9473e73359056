"""Volume-Weighted Moving Average: Σ(close · volume) / Σ volume of the last `length` bars.

Unit: price; the plain mean of the closes in a window without volume. Not in TA-Lib.
Source: Buff Dormeier, Buff Up Your Moving Averages, Stocks & Commodities (2001).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import mean_over, ring, sum_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def memory(length: int) -> int:
    """Return the floats of its own ring: close · volume."""
    return ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    money: float = 0.0
    money_peak: float = 0.0
    volume: float = 0.0
    volume_peak: float = 0.0
    mean: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, mask = i & bars.mask, state.age, memory.shape[0] - 1
    memory[count & mask] = bars.close[now] * bars.volume[now]
    money, money_peak = sum_over(memory, mask, count, count, state.money, state.money_peak, length)
    volume, volume_peak = sum_over(bars.volume, bars.mask, i, count, state.volume, state.volume_peak, length)
    mean = mean_over(bars.close, bars.mask, i, count, state.mean, length)
    value = np.nan
    if count >= length - 1:
        value = money / volume if volume > 0.0 else mean
    return State(count + 1, money, money_peak, volume, volume_peak, mean), (value,)
