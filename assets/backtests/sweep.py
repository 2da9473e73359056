"""Many parameter sets of one strategy on one history, each exactly what `backtest` makes of it.

Nothing here needs the pessimistic and the optimistic reading, so lanes run the expected one only.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from threading import Event

import numpy as np

from assets.backtests.costs import Terms
from assets.backtests.engine.arrays import Ints, Market, Trading
from assets.backtests.engine.lanes import Fold, Results, run_lanes
from assets.backtests.engine.layout import ACCOUNT
from assets.backtests.history import COLUMNS, History
from assets.backtests.metrics.daily import day_ends, returns
from assets.backtests.metrics.returns import sharpes
from assets.backtests.run import SIZINGS, Sizing, annual_volatility, check_capital, usual_funding
from infra.errors import InputError
from realtime.indicators import Indicator
from realtime.kernels.kernel import Floats
from realtime.strategies import strategy

MOST_LANES = 200_000
BLOCK = 8
"""Lanes that a thread takes at once."""
Ranges = dict[str, Floats]
"""The values of every parameter that is swept."""
Progressed = Callable[[int], object]
"""Called with the number of lanes that have run since the last call."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """What came out, a row per strategy: equity at the end of every day, the largest drawdown of any bar, accounts."""

    strategies: tuple[Indicator, ...]
    capital: float
    days: Ints
    equity: Floats
    drawdown: Floats
    accounts: Floats

    @property
    def daily(self) -> Floats:
        """Return daily returns, (lanes, days)."""
        return returns(self.equity, self.capital)

    @property
    def sharpe(self) -> Floats:
        """Return Sharpe ratios of a day; NaN for what never moved."""
        return sharpes(self.daily)

    @property
    def total_return(self) -> Floats:
        """Return what the capital gained, as ratios."""
        gains: Floats = self.equity[:, -1] / self.capital - 1.0
        return gains

    def best(self) -> int:
        """Return the lane with the highest Sharpe ratio; the first of equals."""
        ratios = self.sharpe
        return int(np.argmax(np.where(np.isnan(ratios), -np.inf, ratios)))


@dataclass(frozen=True, slots=True)
class Course:
    """A history laid out for lanes, with all that does not depend on a strategy's parameters."""

    history: History
    capital: float
    sizing: Sizing
    columns: Floats  # (symbols, 6, bars that exist)
    known: Ints  # (symbols, bars + 1): how many exist before a bar
    bars: Floats
    funding: Floats
    volatility: Floats
    terms: Floats
    days: Ints
    ends: Ints


def course(strategy: Indicator, history: History, terms: Terms, capital: float, sizing: Sizing) -> Course:
    """Lay a history out for lanes of a strategy; its parameters do not matter."""
    check_capital(capital)
    exists = ~np.isnan(history.bars[:, 3])
    known = np.zeros((len(exists), exists.shape[1] + 1), np.int64)
    known[:, 1:] = np.cumsum(exists, axis=1)
    columns = np.full((len(exists), 1 + len(COLUMNS), exists.shape[1]), np.nan)
    feed = getattr(strategy.module, "feed", None)
    for s in range(len(exists)):
        own = history.columns(s)
        fed = feed(own, history.timeframe) if feed else own
        for k, name in enumerate(("opened_at", *COLUMNS)):
            columns[s, k, : known[s, -1]] = fed[name]
    closed_at = history.opened_at[history.first :] + history.timeframe.microseconds
    days, ends = day_ends(closed_at)
    rates = usual_funding(history, terms.perpetual)
    volatility = annual_volatility(history) if sizing.kind == "volatility" else np.zeros(rates.shape)
    rows = np.tile(terms.row(), (len(exists), 1))
    bars = np.ascontiguousarray(history.bars)
    return Course(history, capital, sizing, columns, known, bars, rates, volatility, rows, days, ends)


def run(track: Course, strategies: Sequence[Indicator], progress: Progressed = int, stop: Event | None = None) -> Lanes:
    """Run strategies of one file, all cores at once. After `stop` only what is done by then is returned."""
    count, stopped = len(strategies), stop or Event()
    fold, market = _fold(track, strategies), Market(track.bars, track.funding, track.volatility, track.terms)
    trading = Trading(track.history.first, track.capital, SIZINGS[track.sizing.kind], track.sizing.size)
    results = Results(np.empty((count, len(track.ends))), np.empty(count), np.empty((count, ACCOUNT)))
    done = np.zeros(count, np.bool_)

    def work(begin: int) -> int:
        end = min(begin + BLOCK, count)
        if stopped.is_set():
            return 0
        run_lanes(fold, market, trading, track.ends, begin, end, results)
        done[begin:end] = True
        return end - begin

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for ready in pool.map(work, range(0, count, BLOCK)):
            progress(ready)
    rows = np.flatnonzero(done).tolist()
    equity, worst, accounts = (values[rows] for values in results)
    return Lanes(tuple(strategies[n] for n in rows), track.capital, track.days, equity, worst, accounts)


def _fold(track: Course, strategies: Sequence[Indicator]) -> Fold:
    """Return strategies of one file as lanes, initial states padded to the widest: each reads only its own part."""
    initial = np.zeros((len(strategies), max(lane.state_width for lane in strategies)))
    for row, lane in zip(initial, strategies, strict=True):
        row[: lane.state_width] = lane.initial()
    arguments = np.concatenate([lane.arguments for lane in strategies])
    return Fold(strategies[0].address, arguments, initial, track.columns, track.known)


def ranges(words: Sequence[str]) -> Ranges:
    """Read `name=first:last:step` and `name=value` words.

    >>> {name: values.tolist() for name, values in ranges(["fast=5:15:5", "stop=2"]).items()}
    {'fast': [5.0, 10.0, 15.0], 'stop': [2.0]}
    """
    swept: Ranges = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            numbers = [float(number) for number in text.split(":")]
        except ValueError as error:
            raise _not_a_range(word) from error
        if len(numbers) not in {1, 3} or not np.isfinite(numbers).all():
            raise _not_a_range(word)
        first, last, step = numbers if len(numbers) == 3 else (numbers[0], numbers[0], 1.0)
        if name.strip() in swept:
            raise InputError(f"the parameter {name.strip()} is given twice")
        if step <= 0.0 or last < first or (last - first) / step >= MOST_LANES:
            raise _not_a_range(word)
        swept[name.strip()] = first + step * np.arange(int((last - first) / step + 1e-9) + 1, dtype=np.float64)
    return swept


def _not_a_range(word: str) -> InputError:
    return InputError(f"not a range of a parameter: {word!r}; write it as fast=5:60:5, first:last:step")


def grid(name: str, swept: Ranges) -> list[Indicator]:
    """Return a strategy with every combination of parameters, the last one changing fastest. Raises InputError."""
    count = int(np.prod([len(values) for values in swept.values()]))
    if count > MOST_LANES:
        raise InputError(f"{count:,} combinations are too many; {MOST_LANES:,} at most")
    combinations = [
        dict(zip(swept, values, strict=True)) for values in product(*map(np.ndarray.tolist, swept.values()))
    ]
    return [strategy(name, parameters) for parameters in combinations]
