"""Stochastic oscillator, slow: where the close stands in the range of `length` bars, averaged twice (%K, then %D).

Unit: 0-100, 50 in a range of nothing (TA-Lib: 0). Otherwise TA-Lib's STOCH.
Source: George C. Lane, Lane's Stochastics, Stocks & Commodities (1984).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernel import Bars, Floats, kernel
from realtime.ranges import place
from realtime.window import highest_at, lowest_at, ring, smoothed_twice

PARAMETERS = ({"length": 14, "smooth": 3, "signal": 3},)
OUTPUTS = ("k", "d")


def warmup(length: int, smooth: int, signal: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        length + smooth - 2,
        length + smooth + signal - 3,
    )


def memory(length: int, smooth: int, signal: int) -> int:  # noqa: ARG001  # called with all parameters
    """Return the floats of its two rings: raw values and %K."""
    return 2 * ring(max(smooth, signal))


class State(NamedTuple):
    """What the next step needs."""

    seen: int = 0
    highest: int = 0
    lowest: int = 0
    slow: float = 0.0
    mean: float = 0.0


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, length: int, smooth: int, signal: int
) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    now, seen = i & bars.mask, state.seen
    highest = highest_at(bars.high, bars.mask, i, seen, state.highest, length)
    lowest = lowest_at(bars.low, bars.mask, i, seen, state.lowest, length)
    raw = place(bars.close[now], bars.low[lowest & bars.mask], bars.high[highest & bars.mask], 50.0)
    slow, mean = smoothed_twice(memory, seen - length + 1, raw, state.slow, state.mean, smooth, signal)
    k = slow if seen >= length + smooth - 2 else np.nan
    d = mean if seen >= length + smooth + signal - 3 else np.nan
    return State(seen + 1, highest, lowest, slow, mean), (k, d)
