"""Supertrend: (high + low) / 2 ± factor · ATR, a band that only ever comes closer until the close breaks it.

Unit: price; direction 1 while the close is above (value is the lower band), -1 below. Starts upwards.
ATR by Wilder's RMA; TradingView's charting library takes the SMA of the true range.
Converged: measured; a start in another direction is forgotten after its first two turns.
Source: Olivier Seban, Tout le monde merite d'etre riche (2008).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.ranges import true_range
from realtime.kernels.smoothing import rma, rma_settles

PARAMETERS = ({"length": 10, "factor": 3.0},)
OUTPUTS = ("", "direction")


def warmup(length: int, factor: float) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        length - 1,
        length - 1,
    )


def converged(length: int, factor: float) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 4 * rma_settles(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    mean: float = 0.0
    upper: float = 0.0
    lower: float = 0.0
    direction: float = 1.0


@kernel
def step(state: State, bars: Bars, i: int, length: int, factor: float) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    high, low, close = bars.high[now], bars.low[now], bars.close[now]
    mean = rma(count, state.mean, true_range(high, low, state.close, count), length)
    upper, lower = 0.5 * (high + low) + factor * mean, 0.5 * (high + low) - factor * mean
    direction = state.direction
    if count >= length:
        if state.upper < upper and state.close <= state.upper:
            upper = state.upper
        if state.lower > lower and state.close >= state.lower:
            lower = state.lower
        turned = close < lower if direction > 0.0 else close > upper
        direction = -direction if turned else direction
    value = trend = np.nan
    if count >= length - 1:
        value, trend = lower if direction > 0.0 else upper, direction
    return State(count + 1, close, mean, upper, lower, direction), (value, trend)
