"""Wilder's moving average: weight 1 / length for the newest close, seeded with the mean of the first `length`.

Unit: price. TA-Lib has it only inside other functions.
Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import rma, rma_settles

PARAMETERS = ({"length": 14},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def converged(length: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return rma_settles(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    mean: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    mean = rma(state.age, state.mean, bars.close[i & bars.mask], length)
    value = mean if state.age >= length - 1 else np.nan
    return State(state.age + 1, mean), (value,)
