"""Realised volatility with jumps between bars (Yang-Zhang): √(jumps + k · moves + (1 - k) · RS).

Jumps are var(open / close before), moves var(close / open).
Sample variances of log ratios; RS is Rogers-Satchell's mean; k = 0.34 / (1.34 + (length + 1) / (length - 1)).
Unit: standard deviation of the log return of one bar; times √(bars in a year) it is annual. Not in TA-Lib.
Source: Dennis Yang and Qiang Zhang, Drift-Independent Volatility Estimation (2000).
"""

import math
from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, Floats, kernel
from realtime.kernels.ranges import rogers_satchell
from realtime.kernels.window import ring, sum_over, variance_over

PARAMETERS = ({"length": 20},)
OUTPUTS = ("",)


def warmup(length: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (length,)


def memory(length: int) -> int:
    """Return the floats of its three rings: jumps, moves and inner terms."""
    return 3 * ring(length)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    close: float = 0.0
    jump_origin: float = 0.0
    jump_mean: float = 0.0
    jump: float = 0.0
    jump_peak: float = 0.0
    move_origin: float = 0.0
    move_mean: float = 0.0
    move: float = 0.0
    move_peak: float = 0.0
    inner: float = 0.0
    inner_peak: float = 0.0


@kernel
def step(state: State, memory: Floats, bars: Bars, i: int, length: int) -> tuple[State, tuple[float]]:
    """Fold one bar."""
    now, count, third = i & bars.mask, state.age - 1, memory.shape[0] // 3
    first, close, mask = bars.open[now], bars.close[now], third - 1
    jump_origin, jump_mean, jump, jump_peak = state.jump_origin, state.jump_mean, state.jump, state.jump_peak
    move_origin, move_mean, move, move_peak = state.move_origin, state.move_mean, state.move, state.move_peak
    inner, inner_peak = state.inner, state.inner_peak
    if count >= 0:
        jumps, moves, inners = memory[:third], memory[third : 2 * third], memory[2 * third :]
        up, down, change = math.log(bars.high[now] / first), math.log(bars.low[now] / first), math.log(close / first)
        jumps[count & mask] = math.log(first / state.close)
        moves[count & mask] = change
        inners[count & mask] = rogers_satchell(up, down, change)
        jump_origin, jump_mean, jump, jump_peak = variance_over(
            jumps, mask, count, count, jump_origin, jump_mean, jump, jump_peak, length
        )
        move_origin, move_mean, move, move_peak = variance_over(
            moves, mask, count, count, move_origin, move_mean, move, move_peak, length
        )
        inner, inner_peak = sum_over(inners, mask, count, count, inner, inner_peak, length)
    value = np.nan
    if count >= length - 1:
        share = 0.34 / (1.34 + (length + 1) / (length - 1))
        total = (jump + share * move) / (length - 1) + (1.0 - share) * inner / length
        value = np.sqrt(total) if total > 0.0 else 0.0
    jumped, moved = (jump_origin, jump_mean, jump, jump_peak), (move_origin, move_mean, move, move_peak)
    return State(count + 2, close, *jumped, *moved, inner, inner_peak), (value,)
