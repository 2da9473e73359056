"""The order of EMA 9, 21 and 50: all stacked one way is a trend, and ADX says how strong it is."""

from collections.abc import Mapping

import numpy as np

from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 1.0


def rule(view: View) -> Floats:
    """Weigh the stack by ADX, full at 40."""
    fast, middle, slow, strength = view["ema_9"], view["ema_21"], view["ema_50"], view["adx_14"]
    up, down = (fast > middle) & (middle > slow), (fast < middle) & (middle < slow)
    known = ~np.isnan(fast + middle + slow + strength)
    weighed = (up.astype(np.float64) - down) * np.clip(strength / 40.0, 0.0, 1.0)
    values: Floats = np.where(known, weighed, np.nan)
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say which way the averages are stacked."""
    return f"EMA 9, 21, 50 stacked {'up' if value > 0 else 'down'}, ADX {at['adx_14']:.0f}"
