"""The indicators: each file here but `fold.py` is one, found by listing the folder.

A file has a docstring (formula, unit, source), `PARAMETERS` (one dict per set that is computed live), `OUTPUTS` (a
suffix per output, "" for the main one), `warmup(**parameters)` (index of each output's first value), optionally
`converged(**parameters)`, `memory(**parameters)` (floats of its own ring), and `State` and `step`.
"""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType

import numpy as np

from realtime.indicators.fold import load
from realtime.kernel import WHOLE, Floats

Parameters = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator with one set of parameters, and where its numbers live in a series' row."""

    module: ModuleType
    parameters: Parameters
    fold: Callable[..., None]
    state_at: int  # first column in the row of states
    column_at: int  # first column among all outputs

    @property
    def name(self) -> str:
        """Name with parameters, such as `macd_12_26_9`."""
        name = self.module.__name__.rpartition(".")[2]
        return "_".join([name, *(f"{value:g}" for value in self.parameters.values())])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the outputs, such as `macd_12_26_9_signal`."""
        return tuple(f"{self.name}_{suffix}" if suffix else self.name for suffix in self.module.OUTPUTS)

    @property
    def warmup(self) -> tuple[int, ...]:
        """Index of each output's first value."""
        return tuple(self.module.warmup(**self.parameters))

    @property
    def converged(self) -> int:
        """Bars after which a history that starts there agrees with the full one to 1e-8."""
        known = getattr(self.module, "converged", None)
        return int(known(**self.parameters)) if known else max(self.warmup)

    @property
    def state_width(self) -> int:
        """Floats of state and memory."""
        memory = getattr(self.module, "memory", None)
        return len(self.module.State._fields) + (int(memory(**self.parameters)) if memory else 0)

    def initial(self) -> Floats:
        """Return the state before the first bar."""
        row = np.zeros(self.state_width)
        start = self.module.State()
        row[: len(start)] = start
        return row


def modules() -> list[ModuleType]:
    """Return the indicator modules in the order of their names."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "fold")
    return [import_module(f"{__name__}.{name}") for name in names]


def arrange(found: list[ModuleType]) -> tuple[Indicator, ...]:
    """Give every indicator and parameter set its place in a row."""
    placed: list[Indicator] = []
    state_at = column_at = 0
    for module in found:
        fold = load(module)
        for parameters in module.PARAMETERS:
            one = Indicator(module, parameters, fold, state_at, column_at)
            placed.append(one)
            state_at += one.state_width
            column_at += len(one.columns)
    return tuple(placed)


@cache
def indicators() -> tuple[Indicator, ...]:
    """Return all indicators; compiles those that the cache does not hold yet."""
    return arrange(modules())


@cache
def columns() -> tuple[str, ...]:
    """Return the names of all outputs, in the order of a row of values."""
    return tuple(column for indicator in indicators() for column in indicator.columns)


def initial_row() -> Floats:
    """Return the states of all indicators before the first bar."""
    return np.concatenate([indicator.initial() for indicator in indicators()])


def batch(indicator: Indicator, candles: Mapping[str, Floats], state: Floats | None = None) -> Floats:
    """Fold whole columns (`opened_at open high low close volume`, each of n float64); return (outputs, n).

    `state`, if given, is the indicator's own row and is left as after the last bar.
    """
    names = ("opened_at", "open", "high", "low", "close", "volume")
    rows = [np.require(candles[name], np.float64, ["C", "W"])[None, :] for name in names]
    count = rows[0].shape[1]
    states = (indicator.initial() if state is None else state)[None, :]
    out = np.empty((1, len(indicator.columns), count))
    zero, end = np.zeros(1, np.int64), np.full(1, count, np.int64)
    arguments = indicator.parameters.values()
    indicator.fold(states, 0, *rows, WHOLE, zero, zero, end, out, 0, True, *arguments)
    result: Floats = out[0]
    return result
