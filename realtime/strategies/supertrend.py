"""Follow Supertrend's direction, with a stop that moves along its band."""

from typing import NamedTuple

import numpy as np

from realtime.indicators.supertrend import State as Trend
from realtime.indicators.supertrend import step as supertrend
from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({"length": 10, "factor": 3.0},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(length: int, factor: float) -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (length,) * 6


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    mean: float = 0.0
    upper: float = 0.0
    lower: float = 0.0
    direction: float = 1.0
    side: float = 0.0  # 0 until the first turn: the direction before it is a convention, not a trend


@kernel
def step(
    state: State, bars: Bars, i: int, length: int, factor: float
) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar."""
    before = Trend(state.age, state.close, state.mean, state.upper, state.lower, state.direction)
    trend, (band, _) = supertrend(before, bars, i, length, factor)
    turned = trend.direction != state.direction
    side = trend.direction if turned else state.side
    target = side if turned else np.nan
    stop = band if side != 0.0 else np.nan
    after = State(trend.age, trend.close, trend.mean, trend.upper, trend.lower, trend.direction, side)
    return after, (target, np.nan, np.nan, stop, np.nan, np.nan)
