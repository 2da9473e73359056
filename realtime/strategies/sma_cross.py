"""Long while the fast SMA is above the slow one, short while it is below."""

from typing import NamedTuple

import numpy as np

from realtime.indicators.sma import State as Sma
from realtime.indicators.sma import step as sma
from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({"fast": 20, "slow": 50},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(fast: int, slow: int) -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (max(fast, slow) - 1,) * 6


class State(NamedTuple):
    """What the next step needs."""

    fast_age: int = 0
    fast_mean: float = 0.0
    slow_age: int = 0
    slow_mean: float = 0.0
    side: float = 0.0


@kernel
def step(
    state: State, bars: Bars, i: int, fast: int, slow: int
) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar."""
    quick, (high,) = sma(Sma(state.fast_age, state.fast_mean), bars, i, fast)
    calm, (low,) = sma(Sma(state.slow_age, state.slow_mean), bars, i, slow)
    side = 1.0 if high > low else (-1.0 if high < low else state.side)  # NaN while warming up compares false
    target = side if side != state.side else np.nan
    after = State(quick.age, quick.mean, calm.age, calm.mean, side)
    return after, (target, np.nan, np.nan, np.nan, np.nan, np.nan)
