"""Weighted Moving Average: the mean of the last `length` closes with weights 1 to `length`, the newest counting most.

Unit: price. Same as TA-Lib's WMA.
Source: Robert Edwards and John Magee, Technical Analysis of Stock Trends (1948).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.window import weighted_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    mean: float = 0.0
    weighted: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    count = state.age
    mean, weighted = weighted_over(bars.close, bars.mask, i, count, state.mean, state.weighted, length)
    value = weighted if count >= length - 1 else np.nan
    return State(count + 1, mean, weighted), (value,)
