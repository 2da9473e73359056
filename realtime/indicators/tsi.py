"""True Strength Index: the close's change over the change's size, both averaged by EMA(slow), then by EMA(fast).

Unit: -100 to 100, 0 when nothing moved. Not in TA-Lib.
Source: William Blau, True Strength Index, Stocks & Commodities (1991).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import ema, ema_settles

PARAMETERS = ({"slow": 25, "fast": 13},)
OUTPUTS = ("",)


def warmup(slow: int, fast: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (slow + fast - 1,)


def converged(slow: int, fast: int) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return ema_settles(slow) + ema_settles(fast)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    move: float = 0.0
    size: float = 0.0
    moves: float = 0.0
    sizes: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int, slow: int, fast: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    close, count = bars.close[i & bars.mask], state.age
    change = close - state.close
    move = ema(count - 1, state.move, change, slow)
    size = ema(count - 1, state.size, abs(change), slow)
    moves = ema(count - slow, state.moves, move, fast)
    sizes = ema(count - slow, state.sizes, size, fast)
    value = np.nan
    if count >= slow + fast - 1:
        value = 100.0 * moves / sizes if sizes > 0.0 else 0.0
    return State(count + 1, close, move, size, moves, sizes), (value,)
