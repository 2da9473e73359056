"""Long while MACD is above its signal line, short while it is below."""

from typing import NamedTuple

import numpy as np

from realtime.indicators.macd import State as Macd
from realtime.indicators.macd import step as macd
from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({"fast": 12, "slow": 26, "signal": 9},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(fast: int, slow: int, signal: int) -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (slow + signal - 2,) * 6


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    quick: float = 0.0
    calm: float = 0.0
    mean: float = 0.0
    side: float = 0.0


@kernel
def step(
    state: State, bars: Bars, i: int, fast: int, slow: int, signal: int
) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar."""
    before = Macd(state.age, state.quick, state.calm, state.mean)
    averages, (_, _, histogram) = macd(before, bars, i, fast, slow, signal)
    side = 1.0 if histogram > 0.0 else (-1.0 if histogram < 0.0 else state.side)
    target = side if side != state.side else np.nan
    after = State(averages.age, averages.quick, averages.calm, averages.mean, side)
    return after, (target, np.nan, np.nan, np.nan, np.nan, np.nan)
