"""Drawdowns of equity, marked to market at every bar."""

import math

import numpy as np
import numpy.typing as npt

from assets.backtests.metrics.returns import YEAR, ratio
from infra.clock import DAY
from realtime.kernels.kernel import Floats


def depths(equity: Floats, capital: float) -> Floats:
    """Return how far below its highest so far equity is at every bar, as a ratio of 0 to 1.

    >>> depths(np.array([120.0, 90.0, 130.0]), 100.0).tolist()
    [0.0, 0.25, 0.0]
    """
    depth: Floats = 1.0 - equity / np.maximum.accumulate(np.maximum(equity, capital))
    return depth


def spells(depth: Floats) -> list[tuple[int, int]]:
    """Return first bar and the bar after the last of every time under water.

    >>> spells(np.array([0.0, 0.1, 0.2, 0.0, 0.3]))
    [(1, 3), (4, 5)]
    """
    edges = np.diff((depth > 0.0).astype(np.int8), prepend=0, append=0)
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def of_equity(equity: Floats, closed_at: npt.NDArray[np.int64], capital: float, growth: float) -> dict[str, float]:
    """Return what drawdowns say; `growth` is the annual return that they are weighed against."""
    depth = depths(equity, capital)
    under = spells(depth)
    worst, ulcer = float(depth.max()), math.sqrt(float(np.mean(depth**2)))
    lengths = [int(closed_at[b - 1] - closed_at[a - 1 if a else 0]) / DAY for a, b in under]
    years = int(closed_at[-1] - closed_at[0]) / DAY / YEAR
    return {
        "max_drawdown": worst,
        "max_drawdown_days": max(lengths, default=0.0),
        "average_drawdown": float(np.mean([depth[a:b].max() for a, b in under])) if under else 0.0,
        "average_drawdown_days": float(np.mean(lengths)) if lengths else 0.0,
        "time_under_water": float(np.mean(depth > 0.0)),
        "ulcer_index": ulcer,
        "pain_index": float(depth.mean()),
        "calmar": ratio(growth, worst),
        "martin_ratio": ratio(growth, ulcer),
        "recovery_factor": ratio(float(equity[-1]) / capital - 1.0, worst),
        "years": years,
    }
