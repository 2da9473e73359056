"""Moving Average Convergence/Divergence: EMA(fast) - EMA(slow), its EMA(signal), and their difference.

Unit: price. Each EMA has its own seed; TA-Lib starts the fast one late and agrees to 1e-8 after about 128 bars.
Source: Gerald Appel, The Moving Average Convergence-Divergence Trading Method (1979); histogram: Thomas Aspray (1986).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import ema, ema_settles

PARAMETERS = ({"fast": 12, "slow": 26, "signal": 9},)
OUTPUTS = ("", "signal", "histogram")


def warmup(fast: int, slow: int, signal: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        slow - 1,
        slow + signal - 2,
        slow + signal - 2,
    )


def converged(fast: int, slow: int, signal: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return ema_settles(slow) + ema_settles(signal)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    quick: float = 0.0
    calm: float = 0.0
    mean: float = 0.0


@kernel
def step(
    state: State, bars: Bars, i: int, fast: int, slow: int, signal: int
) -> tuple[State, tuple[float, float, float]]:
    """Fold one bar."""
    close, count = bars.close[i & bars.mask], state.age
    quick = ema(count, state.quick, close, fast)
    calm = ema(count, state.calm, close, slow)
    mean = ema(count - slow + 1, state.mean, quick - calm, signal)
    value = quick - calm if count >= slow - 1 else np.nan
    smoothed = mean if count >= slow + signal - 2 else np.nan
    return State(count + 1, quick, calm, mean), (value, smoothed, value - smoothed)
