"""Relative volume: the bar's volume over the mean of the last `length`, the bar itself among them.

Unit: none; 1 is usual, `length` the most there can be; 1 in a window without volume. Not in TA-Lib.
Source: in use on trading floors; the ratio of Gervais, Kaniel and Mingelgrin, The High-Volume Return Premium (2001).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.window import sum_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    total: float = 0.0
    peak: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    count, value = state.age, np.nan
    total, peak = sum_over(bars.volume, bars.mask, i, count, state.total, state.peak, length)
    if count >= length - 1:
        value = bars.volume[i & bars.mask] * length / total if total > 0.0 else 1.0
    return State(count + 1, total, peak), (value,)
