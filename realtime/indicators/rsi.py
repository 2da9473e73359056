"""Relative Strength Index: 100 · gain / (gain + loss), both smoothed by Wilder's RMA.

Unit: 0-100, 50 when nothing moved.
Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({"length": 14},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length,)


def converged(length: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 19 * length


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    gain: float = 0.0
    loss: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    close = bars.close[i & bars.mask]
    change, weight = close - state.close, 1.0 / length
    gain, loss = state.gain, state.loss
    up = change if change > 0.0 else 0.0
    down = -change if change < 0.0 else 0.0
    if state.age > length:
        gain += (up - gain) * weight
        loss += (down - loss) * weight
    elif state.age > 0:  # the first changes are averaged plainly
        gain += up * weight
        loss += down * weight
    value = np.nan
    if state.age >= length:
        value = 100.0 * gain / (gain + loss) if gain + loss > 0.0 else 50.0
    return State(state.age + 1, close, gain, loss), (value,)
