"""Normalized Average True Range: ATR in percent of the close.

Unit: percent. TA-Lib leaves the first bar out, as in its ATR.
Source: John Forman, Cross-Market Evaluations with Normalized Average True Range, Stocks & Commodities (2006).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.ranges import true_range
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
    close: float = 0.0
    mean: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    close = bars.close[now]
    mean = rma(count, state.mean, true_range(bars.high[now], bars.low[now], state.close, count), length)
    value = 100.0 * mean / close if count >= length - 1 else np.nan
    return State(count + 1, close, mean), (value,)
