"""Midpoint: half way between the highest and lowest close of `length` bars.

Unit: price. Same as TA-Lib's MIDPOINT.
Source: TA-Lib (M. Fortier, 1999); the close-only form of Donchian's middle line (1960).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
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
    count = state.age
    top, bottom, highest, lowest = extremes_over(
        bars.close, bars.close, bars.mask, i, count, state.place, state.top, state.bottom, memory, length
    )
    value = np.nan
    if count >= length - 1:
        value = 0.5 * (highest + lowest)
    return State(count + 1, following(state.place, length), top, bottom), (value,)
