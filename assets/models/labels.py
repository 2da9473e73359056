"""Triple-barrier labels: which of two prices is reached first, and the weight that an overlapping outcome deserves.

Source: M. Lopez de Prado, Advances in Financial Machine Learning (2018), chapters 3 and 4.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from realtime.kernels.kernel import Floats

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labels:
    """One outcome a bar: 1 up, 0 down, NaN unknown; `end` is the bar at which it was known, -1 where it is not."""

    outcome: Floats
    end: Ints


def ewm_volatility(close: Floats, span: int) -> Floats:
    """Return the exponentially weighted deviation of log returns, known at each bar."""
    returns = pl.Series(np.diff(np.log(close), prepend=np.nan)).fill_nan(None)
    return np.asarray(returns.ewm_std(span=span, min_samples=span, ignore_nulls=True).to_numpy(), np.float64)


def triple_barrier(high: Floats, low: Floats, close: Floats, width: Floats, horizon: int) -> Labels:
    """Label each bar by the barrier close·exp(±width) that the next `horizon` bars touch first.

    A bar that touches both counts as down, since its order is not known; at the horizon the sign of the return decides.

    >>> up = np.array([1.0, 1.02, 1.2, 1.0])
    >>> triple_barrier(up, up, up, np.full(4, 0.1), 2)
    Labels(outcome=array([ 1.,  1.,  0., nan]), end=array([ 2,  2,  3, -1]))
    """
    n = len(close)
    outcome, end = np.full(n, np.nan), np.full(n, -1)
    upper, lower = close * np.exp(width), close * np.exp(-width)
    broken = np.zeros(n, bool)  # a missing bar on the way: what it touched is not known
    for ahead in range(1, horizon + 1):
        here = np.arange(max(n - ahead, 0))
        open_ = here[(end[here] < 0) & ~broken[here] & ~np.isnan(upper[here])]
        then = open_ + ahead
        broken[open_[np.isnan(close[then])]] = True
        down, up = low[then] <= lower[open_], high[then] >= upper[open_]
        for touched, value in ((up & ~down, 1.0), (down, 0.0)):
            outcome[open_[touched]], end[open_[touched]] = value, then[touched]
    here = np.arange(max(n - horizon, 0))
    left = here[(end[here] < 0) & ~broken[here] & ~np.isnan(upper[here])]
    outcome[left], end[left] = close[left + horizon] > close[left], left + horizon
    return Labels(outcome, end)


def uniqueness(labels: Labels) -> Floats:
    """Return the mean of 1 / (outcomes open) over the bars of each outcome; NaN where there is none.

    >>> uniqueness(Labels(np.array([1.0, 1.0, np.nan]), np.array([2, 2, -1])))
    array([0.75, 0.5 ,  nan])
    """
    n, known = len(labels.end), np.flatnonzero(labels.end >= 0)
    change = np.zeros(n + 1)
    np.add.at(change, known + 1, 1.0)
    np.add.at(change, labels.end[known] + 1, -1.0)
    concurrent = np.maximum(np.cumsum(change), 1.0)
    before = np.concatenate([[0.0], np.cumsum(1.0 / concurrent)])
    weights = np.full(n, np.nan)
    weights[known] = (before[labels.end[known] + 1] - before[known + 1]) / (labels.end[known] - known)
    return weights
