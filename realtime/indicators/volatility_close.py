"""Realised volatility from closes: the sample standard deviation (ddof 1) of the last `length` log returns.

Unit: standard deviation of the log return of one bar; times √(bars in a year) it is annual. Not in TA-Lib.
Source: Robert Merton, On Estimating the Expected Return on the Market (1980).
"""

import math
from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import deviation, ring, variance_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length,)


def memory(length: int) -> int:
    """Return the floats of its own ring: log returns."""
    return ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    origin: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    peak: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    close, count, mask = bars.close[i & bars.mask], state.age - 1, memory.shape[0] - 1
    origin, mean, squares, peak = state.origin, state.mean, state.squares, state.peak
    if count >= 0:
        memory[count & mask] = math.log(close / state.close)
        origin, mean, squares, peak = variance_over(memory, mask, count, count, origin, mean, squares, peak, length)
    value = deviation(squares, length - 1) if count >= length - 1 else np.nan
    return State(count + 2, close, origin, mean, squares, peak), (value,)
