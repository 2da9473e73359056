"""TRIX: the one-bar change of an EMA of an EMA of an EMA.

Unit: percent per bar. Same as TA-Lib's TRIX.
Source: Jack Hutson, Good TRIX, Stocks & Commodities (1983).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import ema, ema_settles

PARAMETERS = ({"length": 15},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (3 * length - 2,)


def converged(length: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 3 * ema_settles(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    first: float = 0.0
    second: float = 0.0
    third: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    count = state.age
    first = ema(count, state.first, bars.close[i & bars.mask], length)
    second = ema(count - length + 1, state.second, first, length)
    third = ema(count - 2 * length + 2, state.third, second, length)
    value = 100.0 * (third / state.third - 1.0) if count >= 3 * length - 2 else np.nan
    return State(count + 1, first, second, third), (value,)
