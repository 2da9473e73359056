"""Kaufman's Adaptive Moving Average: an EMA whose weight follows the efficiency ratio, |way made| / Σ|way walked|.

Unit: price. Seeded with the close before the first value; a market that did not move counts as efficient. Both as in
TA-Lib's KAMA (which knows 2 and 30 only).
Converged: for a market that makes no way at all; others forget the start sooner.
Source: Perry Kaufman, Smarter Trading (1995).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.window import ring, sum_over

PARAMETERS = ({"length": 10, "fast": 2, "slow": 30},)
OUTPUTS = ("",)


def warmup(length: int, fast: int, slow: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length,)


def converged(length: int, fast: int, slow: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return length + int(18.5 * ((slow + 1) / 2) ** 2)


def memory(length: int, fast: int, slow: int) -> int:
    """Return the floats of its own ring: sizes of the changes."""
    return ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    walked: float = 0.0
    peak: float = 0.0
    mean: float = 0.0


@kernel
def step(
    state: State, memory: Floats, bars: Bars, i: int, length: int, fast: int, slow: int
) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    close, count, mask = bars.close[i & bars.mask], state.age - 1, memory.shape[0] - 1
    walked, peak, mean, value = state.walked, state.peak, state.mean, np.nan
    if count >= 0:
        memory[count & mask] = abs(close - state.close)
        walked, peak = sum_over(memory, mask, count, count, walked, peak, length)
    if count >= length - 1:
        way = abs(close - bars.close[(i - length) & bars.mask])
        efficiency = way / walked if way < walked else 1.0
        calm = 2.0 / (slow + 1)
        weight = efficiency * (2.0 / (fast + 1) - calm) + calm
        before = mean if count >= length else state.close
        value = mean = before + (close - before) * (weight * weight)
    return State(count + 2, close, walked, peak, mean), (value,)
