"""Bollinger Bands: SMA ± deviations · population deviation, where the close stands between them, and how wide they are.

Unit: price; percent_b 0 at the lower and 1 at the upper band, 0.5 when they meet; width relative to the middle.
Bands as TA-Lib's BBANDS; pandas defaults to ddof 1.
Source: John Bollinger, Bollinger on Bollinger Bands (2001).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.window import deviation, variance_over

PARAMETERS = ({"length": 20, "deviations": 2.0},)
OUTPUTS = ("upper", "middle", "lower", "percent_b", "width")


def warmup(length: int, deviations: float) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (
        length - 1,
        length - 1,
        length - 1,
        length - 1,
        length - 1,
    )


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    origin: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    peak: float = 0.0


@kernel
def step(
    state: State, bars: Bars, i: int, length: int, deviations: float
) -> tuple[State, tuple[float, float, float, float, float]]:
    """Fold one bar."""
    count, close = state.age, bars.close[i & bars.mask]
    origin, mean, squares, peak = state.origin, state.mean, state.squares, state.peak
    origin, mean, squares, peak = variance_over(bars.close, bars.mask, i, count, origin, mean, squares, peak, length)
    upper = middle = lower = percent_b = width = np.nan
    if count >= length - 1:
        half = deviations * deviation(squares, length)
        middle = origin + mean
        upper, lower = middle + half, middle - half
        percent_b, width = 0.5, 0.0
        if half > 0.0:  # one division for both
            scale = 0.5 / (half * middle)
            percent_b = 0.5 + (close - middle) * middle * scale
            width = 4.0 * half * half * scale
    return State(count + 1, origin, mean, squares, peak), (upper, middle, lower, percent_b, width)
