"""Keltner channel: EMA(length) of the close ± factor · ATR(length).

Unit: price. Not in TA-Lib. Keltner's own took a 10-day SMA of the typical price and of the range; TradingView's default
takes ATR(10) around EMA(20).
Source: Chester Keltner, How to Make Money in Commodities (1960); this form: Linda Bradford Raschke (1990s).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.ranges import true_range
from realtime.kernels.smoothing import ema, rma, rma_settles

PARAMETERS = ({"length": 20, "factor": 2.0},)
OUTPUTS = ("upper", "middle", "lower")


def warmup(length: int, factor: float) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1, length - 1, length - 1)


def converged(length: int, factor: float) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return rma_settles(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    mean: float = 0.0
    reach: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int, factor: float) -> tuple[State, tuple[float, float, float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    close = bars.close[now]
    mean = ema(count, state.mean, close, length)
    reach = rma(count, state.reach, true_range(bars.high[now], bars.low[now], state.close, count), length)
    upper = middle = lower = np.nan
    if count >= length - 1:
        upper, middle, lower = mean + factor * reach, mean, mean - factor * reach
    return State(count + 1, close, mean, reach), (upper, middle, lower)
