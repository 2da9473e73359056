"""ZigZag, causal: the last swing high or low from which the price has come back by `percent`.

A swing is known only at the bar that confirms it, and only from there on does it show; charts that draw it at the swing
itself show the future. Outputs: the last confirmed swing's price, the leg's direction since then (1 up, -1 down, 0 none
yet) and the leg's extreme so far, which the next swing will be. When one bar does both, the leg goes on.
Unit: price. Not in TA-Lib.
Converged: never for certain; a start elsewhere agrees after two turns, which no number of bars guarantees.
Source: Arthur Merrill, Filtered Waves (1977).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.smoothing import NEVER

PARAMETERS = ({"percent": 1.0}, {"percent": 5.0})
OUTPUTS = ("", "direction", "extreme")
UNKNOWN_WHILE = {
    "": "no swing of this size is confirmed yet",
    "extreme": "no swing of this size is confirmed yet",
}


def warmup(percent: float) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (0, 0, 0)


def converged(percent: float) -> int:
    """Return after how many bars a history that starts there agrees with the full one to 1e-8."""
    return NEVER


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    high: float = 0.0
    low: float = 0.0
    swing: float = np.nan
    direction: float = 0.0


@kernel
def turn(state: State, high: float, low: float, rise: float, fall: float) -> float:
    """Return 1 or -1 where this bar confirms a swing and the leg turns up or down, else 0.

    `rise` and `fall` are the prices that confirm one. A bar that makes a new extreme of its leg turns nothing.
    """
    if state.direction > 0.0:
        return -1.0 if high <= state.high and low <= fall else 0.0
    if state.direction < 0.0:
        return 1.0 if low >= state.low and high >= rise else 0.0
    if state.age > 0 and high >= rise:
        return 1.0
    return -1.0 if state.age > 0 and low <= fall else 0.0


@kernel
def step(state: State, bars: Bars, i: int, percent: float) -> tuple[State, tuple[float, float, float]]:
    """Fold one bar."""
    now = i & bars.mask
    high, low, swing, direction = bars.high[now], bars.low[now], state.swing, state.direction
    top = high if state.age == 0 or high > state.high else state.high
    bottom = low if state.age == 0 or low < state.low else state.low
    turned = turn(state, high, low, bottom * (1.0 + 0.01 * percent), top * (1.0 - 0.01 * percent))
    if turned > 0.0:
        swing, direction, top = bottom, 1.0, high
    elif turned < 0.0:
        swing, direction, bottom = top, -1.0, low
    extreme = np.nan
    if direction != 0.0:
        extreme = top if direction > 0.0 else bottom
    return State(state.age + 1, top, bottom, swing, direction), (swing, direction, extreme)
