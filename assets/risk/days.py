"""Candles to days: closes at 00:00 UTC and the returns between them, missing where they are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from assets.backtests.history import History
from assets.backtests.metrics.daily import at_midnight
from infra.clock import DAY
from infra.errors import InputError
from realtime.kernels.kernel import Floats

LEAST = 100
"""Fewer days say nothing about one in a hundred."""
EQUAL_WEIGHTS = "equal weights"
"""The portfolio of all symbols that have a return that day, rebalanced at 00:00 UTC."""


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days of some series; `returns[s, d]` is of the day that ends at `closed_at[d]`, NaN where it is unknown."""

    names: tuple[str, ...]
    closed_at: npt.NDArray[np.int64]
    returns: Floats  # (series, days)
    lows: Floats  # (series, days): lowest return against the close before, within the day
    short: tuple[str, ...] = ()  # symbols left out because they have too few days

    def of(self, name: str) -> tuple[npt.NDArray[np.int64], Floats]:
        """Return the days on which a series has a return, and the returns."""
        returns = self.returns[self.names.index(name)]
        known = ~np.isnan(returns)
        return self.closed_at[known], returns[known]


def days_of(history: History) -> Days:
    """Return the days of a history; one that is not over yet is left out, and several symbols get a portfolio.

    Raises InputError when no symbol has LEAST days.
    """
    ends = history.opened_at + history.timeframe.microseconds
    first, last = int(history.opened_at[0]) // DAY + 1, int(ends[-1]) // DAY
    closed_at = np.arange(first, last + 1) * DAY
    series = [_series(history, s, closed_at) for s in range(len(history.symbols))]
    enough = [int((~np.isnan(returns)).sum()) >= LEAST for returns, _ in series]
    if not any(enough):
        raise InputError(f"no symbol of {history.source} has {LEAST} whole days with a return; risk needs as many")
    returns, lows = (np.stack(rows)[enough] for rows in zip(*series, strict=True))
    names = tuple(name for name, has_enough in zip(history.symbols, enough, strict=True) if has_enough)
    short = tuple(name for name in history.symbols if name not in names)
    if len(names) > 1:
        names = (*names, EQUAL_WEIGHTS)
        returns, lows = (np.vstack([rows, _mean(rows)]) for rows in (returns, lows))
    return Days(names, closed_at[1:], returns, lows, short)


def _series(history: History, s: int, closed_at: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return one symbol's daily returns and lowest points, both against the close before."""
    known = ~np.isnan(history.bars[s, 3])
    ends = history.opened_at[known] + history.timeframe.microseconds
    closes, lows = np.full(len(closed_at), np.nan), np.full(len(closed_at), np.nan)
    if len(ends):
        midnights, last = at_midnight(history.bars[s, 3, known], ends)
        at = (midnights + DAY - closed_at[0]) // DAY
        inside = (at >= 0) & (at < len(closed_at))
        closes[at[inside]] = last[inside]
        day = np.maximum((ends - 1) // DAY + 1 - closed_at[0] // DAY, -1)
        counted = (day >= 0) & (day < len(closed_at))
        lows[np.unique(day[counted])] = np.inf
        np.minimum.at(lows, day[counted], history.bars[s, 2, known][counted])
    return closes[1:] / closes[:-1] - 1.0, lows[1:] / closes[:-1] - 1.0


def _mean(rows: Floats) -> Floats:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    means: Floats = np.where(count > 0, np.where(known, rows, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
    return means
