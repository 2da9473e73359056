"""Stochastic oscillator, slow: where the close stands in the range of `length` bars, averaged twice (%K, then %D).

Unit: 0-100, 50 in a range of nothing (TA-Lib: 0). Otherwise TA-Lib's STOCH.
Source: George C. Lane, Lane's Stochastics, Stocks & Commodities (1984).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import place
from realtime.kernels.window import extremes_over, following, ring, smoothed_twice

PARAMETERS = ({"length": 14, "smooth": 3, "signal": 3},)
OUTPUTS = ("k", "d")


def warmup(length: int, smooth: int, signal: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        length + smooth - 2,
        length + smooth + signal - 3,
    )


def memory(length: int, smooth: int, signal: int) -> int:
    """Return the floats of its two rings (raw values and %K), and of the extremes of the last block's tails."""
    return 2 * ring(max(smooth, signal)) + 2 * length


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    place: int = 0
    top: float = 0.0
    bottom: float = 0.0
    slow: float = 0.0
    mean: float = 0.0


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, length: int, smooth: int, signal: int
) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    tails, rings = memory[: 2 * length], memory[2 * length :]
    top, bottom, highest, lowest = extremes_over(
        bars.high, bars.low, bars.mask, i, count, state.place, state.top, state.bottom, tails, length
    )
    raw = place(bars.close[now], lowest, highest, 50.0)
    slow, mean = smoothed_twice(rings, count - length + 1, raw, state.slow, state.mean, smooth, signal)
    k = slow if count >= length + smooth - 2 else np.nan
    d = mean if count >= length + smooth + signal - 3 else np.nan
    return State(count + 1, following(state.place, length), top, bottom, slow, mean), (k, d)
