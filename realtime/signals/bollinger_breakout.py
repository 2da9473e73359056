"""A close outside the Bollinger bands after they were tight: the squeeze breaks the way of the close.

Tight: narrower than 80 % of what the last 32 closes' range would make them. Outside without a squeeze counts half.
"""

from collections.abc import Mapping

import numpy as np

from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 1.0
PERCENT_B = "bollinger_20_2_percent_b"
WIDTH = "bollinger_20_2_width"


def rule(view: View) -> Floats:
    """Look where the close is in the bands, and how wide they were a bar ago."""
    percent, before, close = view[PERCENT_B], view.previous(WIDTH), view.bars["close"][:, :-1]
    spread = close.max(axis=1) - close.min(axis=1)
    squeezed = before < 0.8 * spread / np.where(close[:, -1] > 0.0, close[:, -1], np.nan)
    outside = (percent > 1.0).astype(np.float64) - (percent < 0.0)
    known = ~np.isnan(percent + before + spread)
    values: Floats = np.where(known, outside * np.where(squeezed, 1.0, 0.5), np.nan)
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say where the close is."""
    squeeze = " out of a squeeze" if abs(value) > 0.75 else ""
    return f"close broke {'above' if value > 0 else 'below'} the Bollinger bands{squeeze}, %B {at[PERCENT_B]:.2f}"
