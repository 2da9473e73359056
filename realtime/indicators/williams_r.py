"""Williams %R: where the close stands below the highest high of `length` bars.

Unit: -100 to 0, -50 in a range of nothing (TA-Lib: 0). Otherwise TA-Lib's WILLR.
Source: Larry Williams, How I Made One Million Dollars Last Year Trading Commodities (1973).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import place
from realtime.kernels.window import extremes_over, following

PARAMETERS = ({"length": 14},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def memory(length: int) -> int:
    """Return the floats of the extremes of the last block's tails."""
    return 2 * length


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    place: int = 0
    top: float = 0.0
    bottom: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count = i & bars.mask, state.age
    top, bottom, highest, lowest = extremes_over(
        bars.high, bars.low, bars.mask, i, count, state.place, state.top, state.bottom, memory, length
    )
    value = np.nan
    if count >= length - 1:
        value = -place(highest - bars.close[now], 0.0, highest - lowest, 50.0)
    return State(count + 1, following(state.place, length), top, bottom), (value,)
