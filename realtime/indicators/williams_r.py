"""Williams %R: where the close stands below the highest high of `length` bars.

Unit: -100 to 0, -50 in a range of nothing (TA-Lib: 0). Otherwise TA-Lib's WILLR.
Source: Larry Williams, How I Made One Million Dollars Last Year Trading Commodities (1973).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernel import Bars, kernel
from realtime.ranges import place
from realtime.window import highest_at, lowest_at

PARAMETERS = ({"length": 14},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


class State(NamedTuple):
    """What the next step needs."""

    seen: int = 0
    highest: int = 0
    lowest: int = 0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, seen = i & bars.mask, state.seen
    highest = highest_at(bars.high, bars.mask, i, seen, state.highest, length)
    lowest = lowest_at(bars.low, bars.mask, i, seen, state.lowest, length)
    value = np.nan
    if seen >= length - 1:
        high, low = bars.high[highest & bars.mask], bars.low[lowest & bars.mask]
        value = -place(high - bars.close[now], 0.0, high - low, 50.0)
    return State(seen + 1, highest, lowest), (value,)
