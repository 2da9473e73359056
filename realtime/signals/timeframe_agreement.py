"""The longer timeframes' trend: how many of 5m to 1d have their EMA 9 on the same side of EMA 21.

A timeframe that is not warm is left out; with fewer than two there is no opinion.
"""

from collections.abc import Mapping

import numpy as np

from ingestion.market import Timeframe
from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 1.0
LONGER = (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1)


def rule(view: View) -> Floats:
    """Average the directions; only agreement beyond a half counts."""
    sides = np.stack([np.sign(view.other(t, "ema_9") - view.other(t, "ema_21")) for t in LONGER], axis=1)
    warm = (~np.isnan(sides)).sum(axis=1)
    mean = np.where(np.isnan(sides), 0.0, sides).sum(axis=1) / np.maximum(warm, 1)
    agreed = np.sign(mean) * np.clip(2.0 * np.abs(mean) - 1.0, 0.0, 1.0)
    values: Floats = np.where(warm >= 2, agreed, np.nan)
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say which way the longer timeframes point."""
    return f"longer timeframes point {'up' if value > 0 else 'down'} ({abs(value):.0%} agreement)"
