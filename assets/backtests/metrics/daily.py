"""Equity to daily returns, marked to market at 00:00 UTC: what every ratio here is made of."""

import numpy as np
import numpy.typing as npt

from infra.clock import DAY
from realtime.kernels.kernel import Floats

Ints = npt.NDArray[np.int64]


def day_ends(closed_at: Ints) -> tuple[Ints, Ints]:
    """Return the days (their midnights) and the last bar of each."""
    day = (closed_at - 1) // DAY
    last = np.append(np.flatnonzero(np.diff(day)), len(day) - 1)
    return day[last] * DAY, last


def at_midnight(equity: Floats, closed_at: Ints) -> tuple[Ints, Floats]:
    """Return the days (their midnights) and the last equity known at the end of each.

    >>> days, values = at_midnight(np.array([1.0, 2.0, 3.0]), np.array([DAY // 2, DAY, DAY + 1]))
    >>> (days // DAY).tolist(), values.tolist()
    ([0, 1], [2.0, 3.0])
    """
    days, last = day_ends(closed_at)
    return days, equity[last]


def returns(values: Floats, capital: float) -> Floats:
    """Return the simple return of every day (the last axis). What is lost is lost: after a value of 0 returns are 0.

    >>> returns(np.array([110.0, 99.0]), 100.0).round(12).tolist()
    [0.1, -0.1]
    """
    before = np.full_like(values, capital)
    before[..., 1:] = values[..., :-1]
    ratios: Floats = np.where(before > 0.0, values / np.where(before > 0.0, before, 1.0) - 1.0, 0.0)
    return ratios
