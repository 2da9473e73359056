"""Simple Moving Average: the mean of the last `length` closes.

Unit: price. Same as TA-Lib's SMA.
Source: in use since the 1900s; R. H. Hooker, On the Correlation of Successive Observations (1905).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.window import mean_over

PARAMETERS = ({"length": 20}, {"length": 50}, {"length": 200})
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    mean: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    mean = mean_over(bars.close, bars.mask, i, state.age, state.mean, length)
    value = mean if state.age >= length - 1 else np.nan
    return State(state.age + 1, mean), (value,)
