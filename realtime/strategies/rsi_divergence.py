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

PARAMETERS = ({"length": 14, "left": 5, "right": 5, "nearest": 5, "furthest": 60, "overbought": 70.0, "stop": 2.0},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(length: int, left: int, right: int, **_: float) -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (length + left + right,) * 6


def memory(left: int, right: int, **_: float) -> int:
    """Return the floats of the ring of RSI values."""
    return int(left + right + 1)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
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


class Pivot(NamedTuple):
    """A bar where RSI turned: its number, its low or high, its RSI."""

    at: int
    price: float
    rsi: float


@kernel
def is_pivot(memory: Floats, newest: int, left: int, right: int, sign: float) -> bool:
    """Whether the RSI `right` bars ago is the first strict lowest (sign 1) or highest (sign -1) of its window."""
    size = left + right + 1
    middle = sign * memory[(newest - right) % size]
    extreme = True
    for k in range(1, left + 1):
        extreme = extreme and middle < sign * memory[(newest - right - k) % size]
    for k in range(right):
        extreme = extreme and middle <= sign * memory[(newest - k) % size]
    return extreme


@kernel
def diverges(last: Pivot, pivot: Pivot, nearest: int, furthest: int, sign: float) -> bool:
    """Whether price went on and RSI did not: a lower low with a higher RSI (sign 1), or the mirror of it (sign -1)."""
    near = last.at >= 0 and nearest <= pivot.at - last.at <= furthest
    return near and sign * pivot.price < sign * last.price and sign * pivot.rsi > sign * last.rsi


@kernel
def side_after(side: float, signal: float, rsi: float, overbought: float) -> float:
    """Return the side after a bar: that of a divergence, else what was held until RSI has gone far enough."""
    if signal != 0.0:
        return signal
    return 0.0 if (side > 0.0 and rsi > overbought) or (side < 0.0 and rsi < 100.0 - overbought) else side


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
    count, close, then = state.age, bars.close[i & bars.mask], (i - right) & bars.mask
    strength, (value,) = rsi(Rsi(count, state.close, state.gain, state.loss), bars, i, length)
    ranges, (reach,) = atr(Atr(count, state.close, state.range), bars, i, length)
    memory[count % (left + right + 1)] = value
    low, high = Pivot(state.low_at, state.low, state.low_rsi), Pivot(state.high_at, state.high, state.high_rsi)
    signal, at = 0.0, count - right
    if at >= length + left:
        known = memory[at % (left + right + 1)]
        if is_pivot(memory, count, left, right, 1.0):
            last, low = low, Pivot(at, bars.low[then], known)
            signal = 1.0 if diverges(last, low, nearest, furthest, 1.0) else signal
        if is_pivot(memory, count, left, right, -1.0):
            last, high = high, Pivot(at, bars.high[then], known)
            signal = -1.0 if diverges(last, high, nearest, furthest, -1.0) else signal
    side = side_after(state.side, signal, value, overbought)
    target = side if side != state.side or signal != 0.0 else np.nan
    away = close - signal * stop * reach if signal != 0.0 else np.nan
    pivots = (low.at, low.price, low.rsi, high.at, high.price, high.rsi)
    after = State(count + 1, close, strength.gain, strength.loss, ranges.mean, *pivots, side)
    return after, (target, np.nan, np.nan, away, np.nan, np.nan)
