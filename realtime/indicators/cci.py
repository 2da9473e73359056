"""Commodity Channel Index: the typical price's distance from its mean, in 0.015 mean absolute deviations.

Unit: none, mostly -100 to 100; 0 in a window without deviation. Otherwise TA-Lib's CCI.
Source: Donald Lambert, Commodity Channel Index: Tools for Trading Cyclic Trends, Commodities (1980).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import distance_over, mean_over, ring

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def memory(length: int) -> int:
    """Return the floats of its own ring: typical prices."""
    return ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    mean: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, mask = i & bars.mask, state.age, memory.shape[0] - 1
    typical = (bars.high[now] + bars.low[now] + bars.close[now]) * (1.0 / 3.0)
    memory[count & mask] = typical
    mean = mean_over(memory, mask, count, count, state.mean, length)
    value = np.nan
    if count >= length - 1:
        spread = distance_over(memory, mask, count, mean, length)
        value = (typical - mean) * length / (0.015 * spread) if spread > 0.0 else 0.0
    return State(count + 1, mean), (value,)
