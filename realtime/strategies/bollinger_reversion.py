"""Against a close outside the Bollinger Bands, out when it is back at the middle or `stop` ATR further away."""

from typing import NamedTuple

import numpy as np

from realtime.indicators.atr import State as Atr
from realtime.indicators.atr import step as atr
from realtime.indicators.bollinger import State as Bands
from realtime.indicators.bollinger import step as bollinger
from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({"length": 20, "deviations": 2.0, "stop": 3.0},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(length: int, deviations: float, stop: float) -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (length - 1,) * 6


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    origin: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    peak: float = 0.0
    close: float = 0.0
    range: float = 0.0
    side: float = 0.0


@kernel
def step(
    state: State, bars: Bars, i: int, length: int, deviations: float, stop: float
) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar."""
    close = bars.close[i & bars.mask]
    before = Bands(state.age, state.origin, state.mean, state.squares, state.peak)
    bands, (upper, middle, lower, _, _) = bollinger(before, bars, i, length, deviations)
    ranges, (reach,) = atr(Atr(state.age, state.close, state.range), bars, i, length)
    side = state.side
    if side * (close - middle) >= 0.0:  # back at the middle, or flat; false while NaN
        side = 0.0
    if close < lower:
        side = 1.0
    if close > upper:
        side = -1.0
    entered = abs(side - state.side) * abs(side) > 0.0
    target = side if side != state.side else np.nan
    away = close - side * stop * reach if entered else np.nan
    after = State(bands.age, bands.origin, bands.mean, bands.squares, bands.peak, ranges.close, ranges.mean, side)
    return after, (target, np.nan, np.nan, away, np.nan, np.nan)
