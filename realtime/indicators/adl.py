"""Accumulation/Distribution Line: volume · where the close stands in its bar (-1 to 1), added up from the first bar.

Unit: base units. The level depends on the first bar and means nothing; only its changes do. Same as TA-Lib's AD.
Converged: never, a history that starts elsewhere has another level.
Source: Marc Chaikin, after Larry Williams' The Secret of Selecting Stocks (1972).
"""

from typing import NamedTuple

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.ranges import money_flow_multiplier
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

    total: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now = i & bars.mask
    total = state.total + money_flow_multiplier(bars.high[now], bars.low[now], bars.close[now]) * bars.volume[now]
    return State(total), (total,)
