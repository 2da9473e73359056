"""Chaikin Money Flow: volume weighted by where the close stands in its bar, summed, over the summed volume.

Unit: -1 to 1; 0 in a window without volume.
Source: Marc Chaikin (1980s); formula as in Steven Achelis, Technical Analysis from A to Z (2000).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import money_flow_multiplier
from realtime.kernels.window import ring, sum_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def memory(length: int) -> int:
    """Return the floats of its own ring: (1 + multiplier) · volume, which is never negative."""
    return ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    flow: float = 0.0
    flow_peak: float = 0.0
    volume: float = 0.0
    volume_peak: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, mask = i & bars.mask, state.age, memory.shape[0] - 1
    volume = bars.volume[now]
    memory[count & mask] = (1.0 + money_flow_multiplier(bars.high[now], bars.low[now], bars.close[now])) * volume
    flow, flow_peak = sum_over(memory, mask, count, count, state.flow, state.flow_peak, length)
    total, total_peak = sum_over(bars.volume, bars.mask, i, count, state.volume, state.volume_peak, length)
    value = np.nan
    if count >= length - 1:
        value = flow / total - 1.0 if total > 0.0 else 0.0
    return State(count + 1, flow, flow_peak, total, total_peak), (value,)
