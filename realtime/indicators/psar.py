"""Parabolic Stop and Reverse: a stop that follows the trend, faster with every new extreme (step, up to limit).

Unit: price; direction 1 while the stop is below the bar, -1 above. Same as TA-Lib's SAR: the first direction is
that of the larger directional movement, upwards when there is none.
Converged: measured; a start in another direction is forgotten after a few turns.
Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.ranges import max_of, min_of

PARAMETERS = ({"step_size": 0.02, "limit": 0.2},)
OUTPUTS = ("", "direction")


def warmup(step_size: float, limit: float) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (1, 1)


def converged(step_size: float, limit: float) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 500


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    high: float = 0.0
    low: float = 0.0
    stop: float = 0.0
    extreme: float = 0.0
    speed: float = 0.0
    direction: float = 1.0


@kernel
def step(state: State, bars: Bars, i: int, step_size: float, limit: float) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    high, low = bars.high[now], bars.low[now]
    before_high, before_low, direction, speed = state.high, state.low, state.direction, state.speed
    stop, extreme, value, trend = state.stop, state.extreme, np.nan, np.nan
    if count == 1:
        down, speed = before_low - low, step_size
        direction = -1.0 if down > 0.0 and down > high - before_high else 1.0
        stop, extreme = (before_low, high) if direction > 0.0 else (before_high, low)
        before_high, before_low = high, low
    if count >= 1:
        if direction > 0.0:
            if low <= stop:
                value = max_of(extreme, before_high, high)
                direction, speed, extreme = -1.0, step_size, low
                stop = max_of(value + speed * (extreme - value), before_high, high)
            else:
                value = stop
                if high > extreme:
                    extreme, speed = high, min_of(speed + step_size, limit, limit)
                stop = min_of(stop + speed * (extreme - stop), before_low, low)
        elif high >= stop:
            value = min_of(extreme, before_low, low)
            direction, speed, extreme = 1.0, step_size, high
            stop = min_of(value + speed * (extreme - value), before_low, low)
        else:
            value = stop
            if low < extreme:
                extreme, speed = low, min_of(speed + step_size, limit, limit)
            stop = max_of(stop + speed * (extreme - stop), before_high, high)
        trend = direction
    return State(count + 1, high, low, stop, extreme, speed, direction), (value, trend)
