"""Stochastic RSI: where RSI(length) stands in its own range of `window` bars, averaged twice (%K, then %D).

Unit: 0-100, 50 in a range of nothing: RSI moves by less than NOISE, as in a halt. TA-Lib's STOCHRSI has the raw value
as %K and 0 in a range of nothing.
Source: Tushar Chande and Stanley Kroll, The New Technical Trader (1994).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import place
from realtime.kernels.smoothing import gain_and_loss, rma_settles, share
from realtime.kernels.window import extremes_over, following, ring, smoothed_twice

PARAMETERS = ({"length": 14, "window": 14, "smooth": 3, "signal": 3},)
OUTPUTS = ("k", "d")
NOISE = 1e-9
"""In a halt RSI stands still, but its recursion is rounded anew at each bar; that is no range to stand in."""


def warmup(length: int, window: int, smooth: int, signal: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length + window + smooth - 2, length + window + smooth + signal - 3)


def converged(length: int, window: int, smooth: int, signal: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 2 * rma_settles(length)


def memory(length: int, window: int, smooth: int, signal: int) -> int:
    """Return the floats of its three rings (RSI, raw values, %K), and of the extremes of the last block's tails."""
    return 3 * ring(max(window, smooth, signal)) + 2 * window


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    gain: float = 0.0
    loss: float = 0.0
    place: int = 0
    top: float = 0.0
    bottom: float = 0.0
    slow: float = 0.0
    mean: float = 0.0


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, length: int, window: int, smooth: int, signal: int
) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    close, count = bars.close[i & bars.mask], state.age
    gain, loss = gain_and_loss(count, state.gain, state.loss, close - state.close, length)
    at, top, bottom, slow, mean = state.place, state.top, state.bottom, state.slow, state.mean
    then, size = count - length, (memory.shape[0] - 2 * window) // 3
    if then >= 0:
        strengths, rings, tails = memory[:size], memory[size : 3 * size], memory[3 * size :]
        strength = share(gain, loss, 50.0)
        strengths[then & (size - 1)] = strength
        top, bottom, highest, lowest = extremes_over(
            strengths, strengths, size - 1, then, then, at, top, bottom, tails, window
        )
        at = following(at, window)
        raw = place(strength, lowest, highest, 50.0) if highest - lowest > NOISE else 50.0
        slow, mean = smoothed_twice(rings, then - window + 1, raw, slow, mean, smooth, signal)
    k = slow if then >= window + smooth - 2 else np.nan
    d = mean if then >= window + smooth + signal - 3 else np.nan
    return State(count + 1, close, gain, loss, at, top, bottom, slow, mean), (k, d)
