"""Intervals by the stationary bootstrap: blocks of random length, so that days that belong together stay together.

Source: Politis and Romano, The Stationary Bootstrap, JASA (1994). Blocks are n^(1/3) days long on average.
"""

import math

import numpy as np
import numpy.typing as npt

from assets.backtests.metrics.returns import YEAR
from realtime.kernels.kernel import Floats

RESAMPLES = 1_000


def resampled(count: int, seed: int, resamples: int = RESAMPLES) -> npt.NDArray[np.int64]:
    """Return indices (resamples, count): each block goes on where it is, around the end, until a new one begins."""
    draw = np.random.default_rng(seed)
    begins = draw.random((resamples, count)) < 1.0 / count ** (1.0 / 3.0)
    begins[:, 0] = True
    start = draw.integers(0, count, (resamples, count))
    at = np.maximum.accumulate(np.where(begins, np.arange(count), 0), axis=1)
    indices: npt.NDArray[np.int64] = (np.take_along_axis(start, at, axis=1) + np.arange(count) - at) % count
    return indices


def sharpe_interval(daily: Floats, seed: int = 1) -> tuple[float, float]:
    """Return the 95 % interval of the annual Sharpe ratio."""
    if len(daily) < 10 or not float(daily.std()) > 0.0:
        return math.nan, math.nan
    samples = daily[resampled(len(daily), seed)]
    spread = samples.std(axis=1, ddof=1)
    ratios = samples.mean(axis=1)[spread > 0.0] / spread[spread > 0.0] * math.sqrt(YEAR)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)


def growth_interval(daily: Floats, seed: int = 1) -> tuple[float, float]:
    """Return the 95 % interval of the annual return."""
    if len(daily) < 10:
        return math.nan, math.nan
    logs = np.log1p(np.maximum(daily, -0.999999))[resampled(len(daily), seed)].mean(axis=1)
    low, high = np.expm1(np.quantile(logs, [0.025, 0.975]) * YEAR)
    return float(low), float(high)
