"""Far from the day's VWAP price tends back: nothing within one deviation, full against the move at two and beyond."""

from collections.abc import Mapping

import numpy as np

from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 0.75


def rule(view: View) -> Floats:
    """Measure the distance in volume-weighted standard deviations."""
    vwap = view["vwap"]
    deviation = view["vwap_upper_1"] - vwap
    far = np.where(deviation > 0.0, (view["close"] - vwap) / np.where(deviation > 0.0, deviation, 1.0), 0.0)
    beyond = np.clip(np.abs(far) - 1.0, 0.0, 1.0)
    values: Floats = np.where(np.isnan(deviation), np.nan, -np.sign(far) * beyond)
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say which side of VWAP price is on."""
    return f"close far {'below' if value > 0 else 'above'} the day's VWAP of {at['vwap']:.6g}"
