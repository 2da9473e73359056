"""Awesome Oscillator: SMA(fast) - SMA(slow) of the bar's middle, (high + low) / 2.

Unit: price. Not in TA-Lib.
Source: Bill Williams, New Trading Dimensions (1998).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import mean_over, ring

PARAMETERS = ({"fast": 5, "slow": 34},)
OUTPUTS = ("",)


def warmup(fast: int, slow: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (slow - 1,)


def memory(fast: int, slow: int) -> int:
    """Return the floats of its own ring: the bars' middles."""
    return ring(slow)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    quick: float = 0.0
    calm: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, fast: int, slow: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, mask = i & bars.mask, state.age, memory.shape[0] - 1
    memory[count & mask] = 0.5 * (bars.high[now] + bars.low[now])
    quick = mean_over(memory, mask, count, count, state.quick, fast)
    calm = mean_over(memory, mask, count, count, state.calm, slow)
    value = quick - calm if count >= slow - 1 else np.nan
    return State(count + 1, quick, calm), (value,)
