"""Momentum: the close minus the one `length` bars ago.

Unit: price. Same as TA-Lib's MOM.
Source: H. M. Gartley, Profits in the Stock Market (1935).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({"length": 10},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length,)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    value = np.nan
    if state.age >= length:
        close, before = bars.close[i & bars.mask], bars.close[(i - length) & bars.mask]
        value = close - before
    return State(state.age + 1), (value,)
