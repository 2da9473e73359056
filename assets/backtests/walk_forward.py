"""Walk-forward: parameters are chosen in sample, traded out of sample, and only that makes one stitched equity.

Both samples are backtests of their own: flat at the start, indicators warmed up by the bars before, which are known
then. Out of sample a window closes its position at its last open and pays for it, since the next may want another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from assets.backtests.costs import Terms
from assets.backtests.engine.arrays import Ints
from assets.backtests.history import History
from assets.backtests.metrics.daily import at_midnight, returns
from assets.backtests.metrics.returns import ratio
from assets.backtests.run import Result, Sizing, backtest, orders_of
from assets.backtests.sweep import Lanes, course, run
from infra.clock import DAY
from infra.errors import InputError
from realtime.indicators import Indicator
from realtime.kernels.kernel import Floats

WARMUP = 500
LEAST_DAYS = 2


@dataclass(frozen=True, slots=True)
class Window:
    """Bars of a history: in sample from `start` up to `middle`, out of sample from there up to `end`."""

    start: int
    middle: int
    end: int


@dataclass(frozen=True, slots=True)
class Step:
    """One window: all that was tried in sample, what was chosen, and what that did out of sample."""

    window: Window
    lanes: Lanes
    sample: History
    strategy: Indicator
    outside: Result

    @property
    def inside_growth(self) -> float:
        """Return the mean logarithmic growth of a day in sample."""
        equity = self.lanes.equity[self.lanes.best(), -1]
        return growth(float(equity) / self.lanes.capital, len(self.lanes.days))

    @property
    def outside_growth(self) -> float:
        """Return the mean logarithmic growth of a day out of sample."""
        days, _ = at_midnight(self.outside.expected.equity, self.outside.closed_at)
        return growth(float(self.outside.expected.equity[-1]) / self.outside.capital, len(days))


@dataclass(frozen=True, slots=True)
class Walk:
    """All steps, and the equity that trading them one after the other made."""

    steps: Sequence[Step]
    capital: float
    closed_at: Ints
    equity: Floats

    @property
    def daily(self) -> Floats:
        """Return the daily returns out of sample."""
        return returns(at_midnight(self.equity, self.closed_at)[1], self.capital)

    @property
    def efficiency(self) -> float:
        """Return growth out of sample as a ratio of that in sample: 1 where nothing was fitted to noise."""
        inside = float(np.mean([step.inside_growth for step in self.steps]))
        outside = float(np.mean([step.outside_growth for step in self.steps]))
        return ratio(outside, inside) if inside > 0.0 else np.nan

    @property
    def stability(self) -> dict[str, float]:
        """Return by parameter in what share of the steps the choice before was chosen again; 1 is stable."""
        names = self.steps[0].strategy.parameters
        values = {name: [step.strategy.parameters[name] for step in self.steps] for name in names}
        return {
            name: float(np.mean(np.diff(choices) == 0.0)) if len(choices) > 1 else np.nan
            for name, choices in values.items()
        }


def growth(factor: float, days: int) -> float:
    """Return the logarithmic growth of a day."""
    return float(np.log(max(factor, 1e-9))) / days


def windows(history: History, inside_days: int, outside_days: int, anchored: bool) -> list[Window]:
    """Cut the period of a history into windows; anchored ones all begin where it begins. Raises InputError."""
    if min(inside_days, outside_days) < LEAST_DAYS:
        raise InputError(f"both samples must have {LEAST_DAYS} days at least: {inside_days} and {outside_days}")
    begin, until = int(history.opened_at[history.first]), int(history.opened_at[-1]) + 1
    cuts = []
    middle = begin + inside_days * DAY
    while middle + LEAST_DAYS * DAY <= until:
        start = begin if anchored else middle - inside_days * DAY
        ends = (start, middle, min(middle + outside_days * DAY, until))
        cuts.append(Window(*(int(np.searchsorted(history.opened_at, at)) for at in ends)))
        middle += outside_days * DAY
    if not cuts:
        days = (until - begin) / DAY
        raise InputError(f"{days:.0f} days are too few for {inside_days} in sample and any out of sample")
    return cuts


def part(history: History, first: int, end: int) -> History:
    """Return the bars from `first` up to `end`, with those before that warm indicators up."""
    begin = max(0, first - WARMUP)
    until = int(history.opened_at[end - 1]) + history.timeframe.microseconds
    bars = np.ascontiguousarray(history.bars[:, :, begin:end])
    if np.isnan(bars[:, 3, first - begin :]).all():
        raise InputError("a window has no candles at all: this history is too gappy to walk through")
    return replace(history, opened_at=history.opened_at[begin:end], bars=bars, first=first - begin, until=until)


def trade(strategy: Indicator, history: History, terms: Terms, capital: float, sizing: Sizing) -> Result:
    """Trade one window; the position is closed at its last open."""
    orders = orders_of(strategy, history)
    orders[:, :, -2:] = np.nan
    orders[:, 0, -2] = 0.0
    return backtest(history, orders, terms, capital, sizing)


def walk(
    strategies: Sequence[Indicator],
    history: History,
    terms: Terms,
    capital: float,
    sizing: Sizing,
    cuts: Sequence[Window],
    progress: Callable[[Step], object],
) -> Walk:
    """Walk through windows; `progress` is told of every step."""
    steps: list[Step] = []
    equity, closed_at, money = [], [], capital
    for window in cuts:
        sample = part(history, window.start, window.middle)
        lanes = run(course(strategies[0], sample, terms, capital, sizing), strategies)
        best = lanes.strategies[lanes.best()]
        outside = trade(best, part(history, window.middle, window.end), terms, money, sizing)
        equity.append(outside.expected.equity)
        closed_at.append(outside.closed_at)
        steps.append(Step(window, lanes, sample, best, outside))
        progress(steps[-1])
        money = float(outside.expected.equity[-1])
        if not money > 0.0:
            break
    return Walk(steps, capital, np.concatenate(closed_at), np.concatenate(equity))
