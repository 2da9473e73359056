"""Aroon: how long ago, within `length` bars, the highest high and the lowest low were; the newest of equals counts.

Unit: 0-100, 100 = now; oscillator = up - down, -100 to 100. Same as TA-Lib's AROON and AROONOSC.
Source: Tushar Chande, A Time Price Oscillator, Stocks & Commodities (1995).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.window import highest_at, lowest_at

PARAMETERS = ({"length": 25},)
OUTPUTS = ("up", "down", "oscillator")


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        length,
        length,
        length,
    )


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    highest: int = 0
    lowest: int = 0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float, float, float]]:
    """Fold one bar."""
    count = state.age
    highest = highest_at(bars.high, bars.mask, i, count, state.highest, length + 1)
    lowest = lowest_at(bars.low, bars.mask, i, count, state.lowest, length + 1)
    up = down = np.nan
    if count >= length:
        up = 100.0 * (length - (i - highest)) / length
        down = 100.0 * (length - (i - lowest)) / length
    return State(count + 1, highest, lowest), (up, down, up - down)
