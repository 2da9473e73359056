"""Ichimoku: half way between highest high and lowest low of 9 (tenkan), 26 (kijun) and 52 bars (senkou b).

Senkou a is half way between tenkan and kijun. All four are what is known now; charts draw both senkou lines `kijun`
bars (26) to the right, so the cloud under today's bar is the pair of 26 bars ago. The chikou line is the close itself,
drawn 26 bars to the left, and is left out.
Unit: price. Not in TA-Lib.
Source: Goichi Hosoda (Ichimoku Sanjin), Ichimoku Kinko Hyo (1969).
"""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel
from realtime.kernels.window import highest_at, lowest_at

PARAMETERS = ({"tenkan": 9, "kijun": 26, "senkou": 52},)
OUTPUTS = ("tenkan", "kijun", "senkou_a", "senkou_b")


def warmup(tenkan: int, kijun: int, senkou: int) -> tuple[int, ...]:
    """Return the index of each output's first value."""
    return (tenkan - 1, kijun - 1, kijun - 1, senkou - 1)


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far
    high_tenkan: int = 0
    low_tenkan: int = 0
    high_kijun: int = 0
    low_kijun: int = 0
    high_senkou: int = 0
    low_senkou: int = 0


@kernel
def step(
    state: State, bars: Bars, i: int, tenkan: int, kijun: int, senkou: int
) -> tuple[State, tuple[float, float, float, float]]:
    """Fold one bar."""
    count, mask, high, low = state.age, bars.mask, bars.high, bars.low
    a = highest_at(high, mask, i, count, state.high_tenkan, tenkan)
    b = lowest_at(low, mask, i, count, state.low_tenkan, tenkan)
    c = highest_at(high, mask, i, count, state.high_kijun, kijun)
    d = lowest_at(low, mask, i, count, state.low_kijun, kijun)
    e = highest_at(high, mask, i, count, state.high_senkou, senkou)
    f = lowest_at(low, mask, i, count, state.low_senkou, senkou)
    fast = 0.5 * (high[a & mask] + low[b & mask]) if count >= tenkan - 1 else np.nan
    slow = 0.5 * (high[c & mask] + low[d & mask]) if count >= kijun - 1 else np.nan
    far = 0.5 * (high[e & mask] + low[f & mask]) if count >= senkou - 1 else np.nan
    return State(count + 1, a, b, c, d, e, f), (fast, slow, 0.5 * (fast + slow), far)
