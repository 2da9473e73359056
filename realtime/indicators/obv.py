"""On-Balance Volume: volume added where the close rose and taken away where it fell, from the first bar on.

Unit: base units. The level depends on the first bar and means nothing; only its changes do. Same as TA-Lib's OBV.
Converged: never, a history that starts elsewhere has another level.
Source: Joseph Granville, Granville's New Key to Stock Market Profits (1963).
"""

from typing import NamedTuple

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import NEVER

PARAMETERS: tuple[dict[str, int]] = ({},)
OUTPUTS = ("",)


def warmup() -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (0,)


def converged() -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return NEVER


class State(NamedTuple):
    """What the next step needs."""

    close: float = 0.0
    total: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now = i & bars.mask
    close, volume = bars.close[now], bars.volume[now]
    rise = volume if close > state.close else 0.0  # the first close is above 0, so the first volume counts
    fall = volume if close < state.close else 0.0
    total = state.total + (rise - fall)
    return State(close, total), (total,)
