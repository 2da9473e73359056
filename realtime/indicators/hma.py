"""Hull Moving Average: WMA(√length) of 2 · WMA(length / 2) - WMA(length); parts are rounded down.

Unit: price. Not in TA-Lib.
Source: Alan Hull, How to Reduce Lag in a Moving Average (2005).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import ring, weighted_over

PARAMETERS = ({"length": 16},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length + int(length**0.5) - 2,)


def memory(length: int) -> int:
    """Return the floats of its own ring: the leading averages."""
    return ring(int(length**0.5))


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    half_mean: float = 0.0
    half: float = 0.0
    mean: float = 0.0
    full: float = 0.0
    lead_mean: float = 0.0
    lead: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    count, root, mask = state.age, int(length**0.5), memory.shape[0] - 1
    half_mean, half = weighted_over(bars.close, bars.mask, i, count, state.half_mean, state.half, length // 2)
    mean, full = weighted_over(bars.close, bars.mask, i, count, state.mean, state.full, length)
    lead_mean, lead, then = state.lead_mean, state.lead, count - length + 1
    if then >= 0:
        memory[then & mask] = 2.0 * half - full
        lead_mean, lead = weighted_over(memory, mask, then, then, lead_mean, lead, root)
    value = lead if then >= root - 1 else np.nan
    return State(count + 1, half_mean, half, mean, full, lead_mean, lead), (value,)
