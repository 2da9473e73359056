"""Donchian channel: the highest high and lowest low of `length` bars, and the middle between them.

Unit: price. The newest bar counts. Same as TA-Lib's MAX of highs and MIN of lows.
Source: Richard Donchian, High Finance in Copper, Financial Analysts Journal (1960).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import extremes_over, following

PARAMETERS = ({"length": 20},)
OUTPUTS = ("upper", "middle", "lower")


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        length - 1,
        length - 1,
        length - 1,
    )


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
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float, float, float]]:
    """Fold one bar."""
    count = state.age
    top, bottom, highest, lowest = extremes_over(
        bars.high, bars.low, bars.mask, i, count, state.place, state.top, state.bottom, memory, length
    )
    upper = middle = lower = np.nan
    if count >= length - 1:
        upper, lower = highest, lowest
        middle = 0.5 * (upper + lower)
    return State(count + 1, following(state.place, length), top, bottom), (upper, middle, lower)
