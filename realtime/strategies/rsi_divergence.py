"""Trade against a move that RSI no longer confirms: see `rsi_divergence` in the definitions.

Pivots of RSI, strict over `left` bars before and `right` after (of equals the first counts), known `right` bars later;
the previous pivot of the same kind must lie `nearest` to `furthest` bars back. Bullish: the pivot bar's low is lower
and its RSI higher than the previous pivot's; bearish: its high is higher and its RSI lower. It acts on the bar that
confirms the pivot, so that the entry is the open after it, never at the pivot itself. Out on the opposite divergence,
when RSI passes `overbought` (long) or 100 - `overbought` (short), or at a stop two ATR from the confirming close.
"""

from typing import NamedTuple

import numpy as np

from realtime.indicators.atr import State as Atr
from realtime.indicators.atr import step as atr
from realtime.indicators.rsi import State as Rsi
from realtime.indicators.rsi import step as rsi
from realtime.kernels.kernel import Bars, Floats, kernel

PARAMETERS = (
    {"length": 14, "left": 5, "right": 5, "nearest": 5, "furthest": 60, "overbought": 70.0, "stop": 2.0},
)  # fmt: skip
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(length: int, left: int, right: int, **_: float) -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (length + left + right,) * 6


def memory(left: int, right: int, **_: float) -> int:
    """Return the floats of the ring of RSI values."""
    return int(left + right + 1)


class State(NamedTuple):
    """What the next step needs."""

    seen: int = 0
    close: float = 0.0
    gain: float = 0.0
    loss: float = 0.0
    range: float = 0.0
    low_at: int = -1  # bar of the last pivot low, its low and RSI
    low: float = 0.0
    low_rsi: float = 0.0
    high_at: int = -1
    high: float = 0.0
    high_rsi: float = 0.0
    side: float = 0.0


@kernel
def pivot(memory: Floats, newest: int, left: int, right: int, sign: float) -> bool:
    """Tell whether the RSI `right` bars ago is the first strict lowest (sign 1) or highest (sign -1) of its window."""
    size = left + right + 1
    middle = sign * memory[(newest - right) % size]
    found = True
    for k in range(1, left + 1):
        found = found and middle < sign * memory[(newest - right - k) % size]
    for k in range(right):
        found = found and middle <= sign * memory[(newest - k) % size]
    return found


@kernel
def step(
    state: State,
    memory: Floats,
    bars: Bars,
    i: int,
    length: int,
    left: int,
    right: int,
    nearest: int,
    furthest: int,
    overbought: float,
    stop: float,
) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar."""
    seen, close = state.seen, bars.close[i & bars.mask]
    strength, (value,) = rsi(Rsi(seen, state.close, state.gain, state.loss), bars, i, length)
    ranges, (reach,) = atr(Atr(seen, state.close, state.range), bars, i, length)
    memory[seen % (left + right + 1)] = value
    low_at, low, low_rsi = state.low_at, state.low, state.low_rsi
    high_at, high, high_rsi = state.high_at, state.high, state.high_rsi
    signal, at = 0.0, seen - right
    if at >= length + left:
        then = memory[at % (left + right + 1)]
        if pivot(memory, seen, left, right, 1.0):
            price, apart = bars.low[(i - right) & bars.mask], at - low_at
            if low_at >= 0 and nearest <= apart <= furthest and price < low and then > low_rsi:
                signal = 1.0
            low_at, low, low_rsi = at, price, then
        if pivot(memory, seen, left, right, -1.0):
            price, apart = bars.high[(i - right) & bars.mask], at - high_at
            if high_at >= 0 and nearest <= apart <= furthest and price > high and then < high_rsi:
                signal = -1.0
            high_at, high, high_rsi = at, price, then
    side = state.side
    if (side > 0.0 and value > overbought) or (side < 0.0 and value < 100.0 - overbought):
        side = 0.0
    side = signal if signal != 0.0 else side
    target = side if side != state.side or signal != 0.0 else np.nan
    away = close - signal * stop * reach if signal != 0.0 else np.nan
    after = State(
        seen + 1, close, strength.gain, strength.loss, ranges.mean,
        low_at, low, low_rsi, high_at, high, high_rsi, side,
    )  # fmt: skip
    return after, (target, np.nan, np.nan, away, np.nan, np.nan)
