"""Much more volume than usual gives weight to the bar's own direction.

Nothing up to twice the mean of the 20 bars before, full at five times.
"""

from collections.abc import Mapping

import numpy as np

from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 0.75
BARS = 20


def rule(view: View) -> Floats:
    """Compare the volume with the 20 bars before."""
    mean = view.bars["volume"][:, -BARS - 1 : -1].mean(axis=1)
    many = np.where(mean > 0.0, view["volume"] / np.where(mean > 0.0, mean, 1.0), 0.0)
    reach = view["high"] - view["low"]
    body = np.where(reach > 0.0, (view["close"] - view["open"]) / np.where(reach > 0.0, reach, 1.0), 0.0)
    values: Floats = np.where(np.isnan(mean), np.nan, np.clip((many - 2.0) / 3.0, 0.0, 1.0) * body)
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say how much was traded."""
    return f"volume spike of {at['volume']:.6g} on a {'rising' if value > 0 else 'falling'} bar"
