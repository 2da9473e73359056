"""Average Directional Index: Wilder's RMA of |+DI - -DI| / (+DI + -DI), where ±DI is RMA(±DM) over RMA(true range).

Unit: 0-100; without range or movement 0. The first bar has a range but no movement; the DX of the seed are those
whose `length` movements are complete, from bar `length` on.
Same as TA-Lib's ADX; its PLUS_DI and MINUS_DI leave the first bar's range out and agree to 1e-8 after about 243 bars.
Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.ranges import true_range
from realtime.kernels.smoothing import rma, rma_settles

PARAMETERS = ({"length": 14},)
OUTPUTS = ("", "plus_di", "minus_di")


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        2 * length - 1,
        length - 1,
        length - 1,
    )


def converged(length: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 2 * rma_settles(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    high: float = 0.0
    low: float = 0.0
    close: float = 0.0
    plus: float = 0.0
    minus: float = 0.0
    reach: float = 0.0
    mean: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float, float, float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    high, low, close = bars.high[now], bars.low[now], bars.close[now]
    up, down = high - state.high, state.low - low
    rise = fall = 0.0
    if count > 0:  # one choice after the other, which needs no guess by the processor
        rise = up if up > down else 0.0
        fall = down if down > up else 0.0
        rise = rise if rise > 0.0 else 0.0
        fall = fall if fall > 0.0 else 0.0
    plus = rma(count, state.plus, rise, length)
    minus = rma(count, state.minus, fall, length)
    reach = rma(count, state.reach, true_range(high, low, state.close, count), length)
    both = plus + minus
    dx = 100.0 * abs(plus - minus) / both if both > 0.0 else 0.0
    mean = rma(count - length, state.mean, dx, length)
    plus_di = minus_di = np.nan
    if count >= length - 1:
        per_range = 100.0 / reach if reach > 0.0 else 0.0
        plus_di, minus_di = plus * per_range, minus * per_range
    value = mean if count >= 2 * length - 1 else np.nan
    return State(count + 1, high, low, close, plus, minus, reach, mean), (value, plus_di, minus_di)
