"""Donchian channel: the highest high and lowest low of `length` bars, and the middle between them.

Unit: price. The newest bar counts. Same as TA-Lib's MAX of highs and MIN of lows.
Source: Richard Donchian, High Finance in Copper, Financial Analysts Journal (1960).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernel import Bars, kernel
from realtime.window import highest_at, lowest_at

PARAMETERS = ({"length": 20},)
OUTPUTS = ("upper", "middle", "lower")


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        length - 1,
        length - 1,
        length - 1,
    )


class State(NamedTuple):
    """What the next step needs."""

    seen: int = 0
    highest: int = 0
    lowest: int = 0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float, float, float]]:
    """Fold one bar."""
    seen = state.seen
    highest = highest_at(bars.high, bars.mask, i, seen, state.highest, length)
    lowest = lowest_at(bars.low, bars.mask, i, seen, state.lowest, length)
    upper = middle = lower = np.nan
    if seen >= length - 1:
        upper, lower = bars.high[highest & bars.mask], bars.low[lowest & bars.mask]
        middle = 0.5 * (upper + lower)
    return State(seen + 1, highest, lowest), (upper, middle, lower)
