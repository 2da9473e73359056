"""RSI at an extreme speaks for a turn: +1 at 15 and below, -1 at 85 and above, nothing between 30 and 70."""

from collections.abc import Mapping

import numpy as np

from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 1.0


def rule(view: View) -> Floats:
    """Grow linearly beyond 30 and 70."""
    rsi = view["rsi_14"]
    with np.errstate(invalid="ignore"):
        bullish = np.clip((30.0 - rsi) / 15.0, 0.0, 1.0)
        bearish = np.clip((rsi - 70.0) / 15.0, 0.0, 1.0)
    values: Floats = bullish - bearish
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say what RSI is."""
    return f"RSI is {'oversold' if value > 0 else 'overbought'} at {at['rsi_14']:.1f}"
