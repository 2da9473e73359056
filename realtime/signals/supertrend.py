"""Supertrend's direction: full strength at the flip, a third while it lasts."""

from collections.abc import Mapping

import numpy as np

from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 1.0
DIRECTION = "supertrend_10_3_direction"


def rule(view: View) -> Floats:
    """Compare the direction with the one before."""
    now, before = np.sign(view[DIRECTION]), np.sign(view.previous(DIRECTION))
    values: Floats = np.where(np.isnan(now + before), np.nan, np.where(now != before, now, now / 3.0))
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say where Supertrend stands."""
    what = "flipped" if abs(value) > 0.5 else "stays"
    return f"Supertrend {what} {'up' if value > 0 else 'down'} at {at['supertrend_10_3']:.6g}"
