"""Double Exponential Moving Average: 2 · EMA - EMA of EMA.

Unit: price. Same as TA-Lib's DEMA.
Source: Patrick Mulloy, Smoothing Data with Faster Moving Averages, Stocks & Commodities (1994).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import ema, ema_settles

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (2 * length - 2,)


def converged(length: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 2 * ema_settles(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    first: float = 0.0
    second: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    count = state.age
    first = ema(count, state.first, bars.close[i & bars.mask], length)
    second = ema(count - length + 1, state.second, first, length)
    value = 2.0 * first - second if count >= 2 * length - 2 else np.nan
    return State(count + 1, first, second), (value,)
