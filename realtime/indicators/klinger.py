"""Klinger Volume Oscillator: EMA(fast) - EMA(slow) of the volume force, and its EMA(signal).

Force = volume · |2 · range / run - 1| · trend · 100: the trend is 1 where high + low + close rose and -1 where it fell;
the run adds up the ranges of a trend, beginning with the bar before it. A bar in a run without range has no force.
Unit: base units · 100. Not in TA-Lib; tulipy's kvo is the same with EMAs seeded by their first value.
Converged: measured; a run in progress at the start is forgotten at the next turn.
Source: Stephen J. Klinger, Identifying Trends with Volume Analysis, Stocks & Commodities (1997).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import ema, ema_settles

PARAMETERS = ({"fast": 34, "slow": 55, "signal": 13},)
OUTPUTS = ("", "signal")


def warmup(fast: int, slow: int, signal: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (slow, slow + signal - 1)


def converged(fast: int, slow: int, signal: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return ema_settles(slow) + ema_settles(signal) + 100


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    level: float = 0.0
    reach: float = 0.0
    trend: float = -1.0
    run: float = 0.0
    quick: float = 0.0
    calm: float = 0.0
    mean: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, fast: int, slow: int, signal: int) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    high, low = bars.high[now], bars.low[now]
    level, reach, trend, run = high + low + bars.close[now], high - low, state.trend, state.run
    if count > 0:
        turned = level > state.level if trend < 0.0 else level < state.level
        trend, run = (-trend, state.reach) if turned else (trend, run)
        run += reach
    force = bars.volume[now] * abs(2.0 * reach / run - 1.0) * trend * 100.0 if run > 0.0 else 0.0
    quick = ema(count - 1, state.quick, force, fast)
    calm = ema(count - 1, state.calm, force, slow)
    mean = ema(count - slow, state.mean, quick - calm, signal)
    value = quick - calm if count >= slow else np.nan
    smoothed = mean if count >= slow + signal - 1 else np.nan
    return State(count + 1, level, reach, trend, run, quick, calm, mean), (value, smoothed)
