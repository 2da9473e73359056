"""Chande Momentum Oscillator: (gains - losses) / (gains + losses) of the closes, summed over `length` changes.

Unit: -100 to 100, 0 when nothing moved. TA-Lib's CMO smooths by Wilder's RMA instead, which makes it 2 · RSI - 100.
Source: Tushar Chande and Stanley Kroll, The New Technical Trader (1994).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.smoothing import share
from realtime.kernels.window import ring, sum_over

PARAMETERS = ({"length": 14},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length,)


def memory(length: int) -> int:
    """Return the floats of its two rings: gains and losses."""
    return 2 * ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    gain: float = 0.0
    gain_peak: float = 0.0
    loss: float = 0.0
    loss_peak: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    close, count, half = bars.close[i & bars.mask], state.age - 1, memory.shape[0] // 2
    gain, gain_peak, loss, loss_peak = state.gain, state.gain_peak, state.loss, state.loss_peak
    if count >= 0:
        change, gains, losses = close - state.close, memory[:half], memory[half:]
        gains[count & (half - 1)] = change if change > 0.0 else 0.0
        losses[count & (half - 1)] = -change if change < 0.0 else 0.0
        gain, gain_peak = sum_over(gains, half - 1, count, count, gain, gain_peak, length)
        loss, loss_peak = sum_over(losses, half - 1, count, count, loss, loss_peak, length)
    value = 2.0 * share(gain, loss, 50.0) - 100.0 if count >= length - 1 else np.nan
    return State(count + 2, close, gain, gain_peak, loss, loss_peak), (value,)
