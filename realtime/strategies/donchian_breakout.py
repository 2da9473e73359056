"""Follow a close beyond the channel of the `entry` bars before it; leave at the channel of the last `leave` bars.

Source: Richard Donchian's channel rule, with the shorter exit channel of Richard Dennis' Turtles (1983).
"""

import math
from typing import NamedTuple

import numpy as np

from realtime.indicators.donchian import State as Channel
from realtime.indicators.donchian import step as donchian
from realtime.kernels.kernel import Bars, Floats, kernel

PARAMETERS = ({"entry": 20, "leave": 10},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(entry: int, leave: int) -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (max(entry, leave),) * 6


def memory(entry: int, leave: int) -> int:
    """Return the floats of both channels' memories."""
    return 2 * entry + 2 * leave


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    place: int = 0
    top: float = 0.0
    bottom: float = 0.0
    near_place: int = 0
    near_top: float = 0.0
    near_bottom: float = 0.0
    upper: float = np.nan  # the channel of the bars before this one
    lower: float = np.nan
    side: float = 0.0


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, entry: int, leave: int
) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar."""
    close, count = bars.close[i & bars.mask], state.age
    far = Channel(count, state.place, state.top, state.bottom)
    near = Channel(count, state.near_place, state.near_top, state.near_bottom)
    far, (upper, _, lower) = donchian(far, memory[: 2 * entry], bars, i, entry)
    near, (above, _, below) = donchian(near, memory[2 * entry :], bars, i, leave)
    side = 1.0 if close > state.upper else (-1.0 if close < state.lower else state.side)
    target = side if side != state.side else np.nan
    stop = np.nan
    if side != 0.0 and count >= leave:
        stop = below if side > 0.0 else above
    if math.isnan(target) and ((side > 0.0 and close <= below) or (side < 0.0 and close >= above)):
        side, target = 0.0, 0.0
    after = State(count + 1, far.place, far.top, far.bottom, near.place, near.top, near.bottom, upper, lower, side)
    return after, (target, np.nan, np.nan, stop, np.nan, np.nan)
