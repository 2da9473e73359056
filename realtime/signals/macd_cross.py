"""MACD crossing its signal line: full strength at the cross, half while the histogram keeps growing that way."""

from collections.abc import Mapping

import numpy as np

from realtime.kernels.kernel import Floats
from realtime.signals import View

WEIGHT = 1.0
HISTOGRAM = "macd_12_26_9_histogram"


def rule(view: View) -> Floats:
    """Compare the histogram with the one before."""
    now, before = view[HISTOGRAM], view.previous(HISTOGRAM)
    crossed = np.sign(now) * (np.sign(now) != np.sign(before))
    growing = 0.5 * np.sign(now) * (np.abs(now) > np.abs(before))
    known = ~np.isnan(now + before)
    values: Floats = np.where(known, np.where(crossed != 0, crossed, growing), np.nan)
    return values


def reason(value: float, at: Mapping[str, float]) -> str:
    """Say which way MACD goes."""
    what = "crossed its signal line" if abs(value) > 0.75 else "keeps moving away from its signal line"
    return f"MACD {what}, histogram {at[HISTOGRAM]:+.4g}"
