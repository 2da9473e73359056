"""Arnaud Legoux Moving Average: closes weighted by a Gauss curve with its peak at `offset` of the window.

The curve's width is length / sigma. Unit: price. Not in TA-Lib.
Source: Arnaud Legoux and Dimitrios Kouzis-Loukas, ALMA (2009).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel

PARAMETERS = ({"length": 9, "offset": 0.85, "sigma": 6.0},)
OUTPUTS = ("",)


def warmup(length: int, offset: float, sigma: float) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length - 1,)


def memory(length: int, offset: float, sigma: float) -> int:
    """Return the floats of its weights, oldest first."""
    return length


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, length: int, offset: float, sigma: float
) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    if state.age == 0:  # the weights never change
        total = 0.0
        for k in range(length):
            distance = (k - offset * (length - 1)) * sigma / length
            memory[k] = np.exp(-0.5 * distance * distance)
            total += memory[k]
        for k in range(length):
            memory[k] /= total
    value = np.nan
    if state.age >= length - 1:
        new = bars.close[i & bars.mask]
        value = 0.0
        for k in range(length - 1):
            value += memory[k] * (bars.close[(i - length + 1 + k) & bars.mask] - new)
        value += new
    return State(state.age + 1), (value,)
