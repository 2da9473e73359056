"""Choppiness Index: log10(Σ true range / (highest high - lowest low)) over `length` bars, scaled by log10(length).

Unit: 0 (a straight trend) to 100 (no way made), 100 when nothing moved. Not in TA-Lib.
Source: E. W. (Bill) Dreiss, The Choppiness Index (1993).
"""

import math
from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import true_range
from realtime.kernels.window import highest_at, lowest_at, ring, sum_over

PARAMETERS = ({"length": 14},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def converged(length: int) -> int:
    """Return when the first bar, whose true range knows no close before it, has left the window."""
    return length


def memory(length: int) -> int:
    """Return the floats of its own ring: true ranges."""
    return ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    reach: float = 0.0
    peak: float = 0.0
    scale: float = 0.0
    highest: int = 0
    lowest: int = 0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, mask = i & bars.mask, state.age, memory.shape[0] - 1
    memory[count & mask] = true_range(bars.high[now], bars.low[now], state.close, count)
    reach, peak = sum_over(memory, mask, count, count, state.reach, state.peak, length)
    highest = highest_at(bars.high, bars.mask, i, count, state.highest, length)
    lowest = lowest_at(bars.low, bars.mask, i, count, state.lowest, length)
    scale = 100.0 / math.log(length) if count == 0 else state.scale  # a logarithm costs as much as the rest
    value = np.nan
    if count >= length - 1:
        span = bars.high[highest & bars.mask] - bars.low[lowest & bars.mask]
        value = scale * math.log(reach / span) if span > 0.0 else 100.0
    return State(count + 1, bars.close[now], reach, peak, scale, highest, lowest), (value,)
