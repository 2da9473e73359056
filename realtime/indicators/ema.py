"""Exponential Moving Average: weight 2 / (length + 1) for the newest close, seeded with SMA(length).

Unit: price. Same as TA-Lib's EMA.
Source: R. G. Brown, Exponential Smoothing for Predicting Demand (1956); for prices P. N. Haurlan (1968).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import ema, ema_settles

PARAMETERS = (
    {"length": 9},
    {"length": 12},
    {"length": 21},
    {"length": 26},
    {"length": 50},
    {"length": 200},
)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def converged(length: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return ema_settles(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    mean: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    mean = ema(state.age, state.mean, bars.close[i & bars.mask], length)
    value = mean if state.age >= length - 1 else np.nan
    return State(state.age + 1, mean), (value,)
