"""Force Index: EMA(length) of the close's change times the volume.

Unit: price · base units. Not in TA-Lib.
Converged: twice what an EMA needs, for the input comes in bursts.
Source: Alexander Elder, Trading for a Living (1993).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import ema, ema_settles

PARAMETERS = ({"length": 13},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length,)


def converged(length: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 2 * ema_settles(length)


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
    mean = ema(count - 1, state.mean, (close - state.close) * bars.volume[now], length)
    value = mean if count >= length else np.nan
    return State(count + 1, close, mean), (value,)
