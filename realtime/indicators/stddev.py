"""Standard deviation of the last `length` closes (population).

Unit: price. Same as TA-Lib's STDDEV.
Source: Karl Pearson (1894); the update with a value leaving follows B. P. Welford, Technometrics 4 (1962).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.window import deviation, variance_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    origin: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    peak: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    count = state.age
    origin, mean, squares, peak = state.origin, state.mean, state.squares, state.peak
    origin, mean, squares, peak = variance_over(bars.close, bars.mask, i, count, origin, mean, squares, peak, length)
    value = deviation(squares, length) if count >= length - 1 else np.nan
    return State(count + 1, origin, mean, squares, peak), (value,)
