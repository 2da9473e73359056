"""Stochastic RSI: where RSI(length) stands in its own range of `window` bars, averaged twice (%K, then %D).

Unit: 0-100, 50 in a range of nothing. TA-Lib's STOCHRSI has the raw value as %K and 0 in a range of nothing.
Source: Tushar Chande and Stanley Kroll, The New Technical Trader (1994).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernel import Bars, Floats, kernel
from realtime.ranges import place
from realtime.smoothing import gain_and_loss, rma_settles, share
from realtime.window import highest_at, lowest_at, ring, smoothed_twice

PARAMETERS = ({"length": 14, "window": 14, "smooth": 3, "signal": 3},)
OUTPUTS = ("k", "d")


def warmup(length: int, window: int, smooth: int, signal: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length + window + smooth - 2, length + window + smooth + signal - 3)


def converged(length: int, window: int, smooth: int, signal: int) -> int:  # noqa: ARG001  # called with all parameters
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 2 * rma_settles(length)


def memory(length: int, window: int, smooth: int, signal: int) -> int:  # noqa: ARG001  # called with all parameters
    """Return the floats of its three rings: RSI, raw values and %K."""
    return 3 * ring(max(window, smooth, signal))


class State(NamedTuple):
    """What the next step needs."""

    seen: int = 0
    close: float = 0.0
    gain: float = 0.0
    loss: float = 0.0
    highest: int = 0
    lowest: int = 0
    slow: float = 0.0
    mean: float = 0.0


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, length: int, window: int, smooth: int, signal: int
) -> tuple[State, tuple[float, float]]:
    """Fold one bar."""
    close, seen = bars.close[i & bars.mask], state.seen
    gain, loss = gain_and_loss(seen, state.gain, state.loss, close - state.close, length)
    highest, lowest, slow, mean = state.highest, state.lowest, state.slow, state.mean
    then, size = seen - length, memory.shape[0] // 3
    if then >= 0:
        strengths, rest = memory[:size], memory[size:]
        strength = share(gain, loss, 50.0)
        strengths[then & (size - 1)] = strength
        highest = highest_at(strengths, size - 1, then, then, highest, window)
        lowest = lowest_at(strengths, size - 1, then, then, lowest, window)
        raw = place(strength, strengths[lowest & (size - 1)], strengths[highest & (size - 1)], 50.0)
        slow, mean = smoothed_twice(rest, then - window + 1, raw, slow, mean, smooth, signal)
    k = slow if then >= window + smooth - 2 else np.nan
    d = mean if then >= window + smooth + signal - 3 else np.nan
    return State(seen + 1, close, gain, loss, highest, lowest, slow, mean), (k, d)
