"""Money Flow Index: typical price · volume summed over the bars where the typical price rose, in percent of all.

Unit: 0-100, 50 when nothing flowed (TA-Lib: 0 below a flow of 1). Otherwise TA-Lib's MFI.
Source: Gene Quong and Avrum Soudack, Volume-Weighted RSI: Money Flow, Stocks & Commodities (1989).
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
    """Return the floats of its two rings: flow up and flow down."""
    return 2 * ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    typical: float = 0.0
    gain: float = 0.0
    gain_peak: float = 0.0
    loss: float = 0.0
    loss_peak: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, half = i & bars.mask, state.age - 1, memory.shape[0] // 2
    typical = (bars.high[now] + bars.low[now] + bars.close[now]) * (1.0 / 3.0)
    gain, gain_peak, loss, loss_peak = state.gain, state.gain_peak, state.loss, state.loss_peak
    if count >= 0:
        flow, gains, losses = typical * bars.volume[now], memory[:half], memory[half:]
        gains[count & (half - 1)] = flow if typical > state.typical else 0.0
        losses[count & (half - 1)] = flow if typical < state.typical else 0.0
        gain, gain_peak = sum_over(gains, half - 1, count, count, gain, gain_peak, length)
        loss, loss_peak = sum_over(losses, half - 1, count, count, loss, loss_peak, length)
    value = share(gain, loss, 50.0) if count >= length - 1 else np.nan
    return State(count + 2, typical, gain, gain_peak, loss, loss_peak), (value,)
