"""Volume-Weighted Average Price since the start of a UTC month, and bands of 1 and 2 volume-weighted deviations.

Σ(typical · volume) / Σ volume with typical = (high + low + close) / 3; a bar belongs to the period that it opens in.
Unit: price; without volume yet, the typical price. TA-Lib has none; LEAN moves the bar that
closes at 00:00 into the next day.
Converged: at the next anchor, 44640 bars of one minute at the most.
Source: Stephen Berkowitz, Dennis Logue and Eugene Noser, The Total Cost of Transactions on the NYSE (1988).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.anchoring import month_end, weighted
from realtime.kernels.kernel import Bars, kernel

PARAMETERS: tuple[dict[str, int]] = ({},)
OUTPUTS = ("", "upper_1", "lower_1", "upper_2", "lower_2")


def warmup() -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (0, 0, 0, 0, 0)


def converged() -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return 44640


class State(NamedTuple):
    """What the next step needs."""

    until: float = 0.0
    volume: float = 0.0
    mean: float = 0.0
    squares: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int) -> tuple[State, tuple[float, float, float, float, float]]:
    """Fold one bar."""
    now = i & bars.mask
    until, volume, mean, squares = state.until, state.volume, state.mean, state.squares
    if bars.opened_at[now] >= until:
        until, volume, mean, squares = month_end(bars.opened_at[now]), 0.0, 0.0, 0.0
    typical = (bars.high[now] + bars.low[now] + bars.close[now]) * (1.0 / 3.0)
    volume, mean, squares = weighted(volume, mean, squares, typical, bars.volume[now])
    sigma = np.sqrt(squares / volume) if volume > 0.0 and squares > 0.0 else 0.0
    values = (mean, mean + sigma, mean - sigma, mean + 2.0 * sigma, mean - 2.0 * sigma)
    return State(until, volume, mean, squares), values
