"""Midpoint: half way between the highest and lowest close of `length` bars.

Unit: price. Same as TA-Lib's MIDPOINT.
Source: TA-Lib (M. Fortier, 1999); the close-only form of Donchian's middle line (1960).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernel import Bars, kernel
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
    seen = state.seen
    highest = highest_at(bars.close, bars.mask, i, seen, state.highest, length)
    lowest = lowest_at(bars.close, bars.mask, i, seen, state.lowest, length)
    value = np.nan
    if seen >= length - 1:
        value = 0.5 * (bars.close[highest & bars.mask] + bars.close[lowest & bars.mask])
    return State(seen + 1, highest, lowest), (value,)
