"""The indicators: each file here is one, found by listing the folder.

A file has a docstring (formula, unit, source), `PARAMETERS` (one dict per set that is computed live), `OUTPUTS` (a
suffix per output, "" for the main one), `warmup(**parameters)` (index of each output's first value), optionally
`converged(**parameters)`, `memory(**parameters)` (floats of its own ring), and `State` and `step`.
"""

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from realtime.kernels.every_series import MOST, Ints, fold_series
from realtime.kernels.generated import load
from realtime.kernels.kernel import WHOLE, Floats

Parameters = Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator with one set of parameters, and where its numbers live in a series' row."""

    module: ModuleType
    parameters: Parameters
    address: int  # of its machine code
    state_at: int  # first column in the row of states
    column_at: int  # first column among all outputs

    @property
    def name(self) -> str:
        """Name with parameters, such as `macd_12_26_9`."""
        return name_of(self.module, self.parameters)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the outputs, such as `macd_12_26_9_signal`."""
        return columns_of(self.module, self.parameters)

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
    def memory(self) -> int:
        """Floats of its own rings."""
        size = getattr(self.module, "memory", None)
        return int(size(**self.parameters)) if size else 0

    @property
    def state_width(self) -> int:
        """Floats of state and memory."""
        return len(self.module.State._fields) + self.memory

    @property
    def arguments(self) -> Floats:
        """Return the parameters as its machine code takes them."""
        row = np.zeros((1, MOST))
        row[0, : len(self.parameters)] = list(self.parameters.values())
        row[0, -1] = self.memory
        return row

    def fold(self, states: Floats, at: int, *bars_and_rest: Any) -> None:
        """Fold bars: `states, at, six columns, mask, rows, begin, end, out, output, commit, *parameters`.

        Bars begin[k] to end[k] of series rows[k] go through the state at column `at` of row rows[k]; output j of bar
        t goes to out[k, output + j, t - begin[k]]. Unless `commit`, states stay as they are.
        """
        columns, (mask, rows, begin, end, out, output, commit) = bars_and_rest[:6], bars_and_rest[6:13]
        table = (np.array([self.address]), np.array([at]), np.array([output]), self.arguments)
        fold_series(*table, states, columns, mask, rows, begin, end, out, commit)

    def initial(self) -> Floats:
        """Return the state before the first bar."""
        row = np.zeros(self.state_width)
        start = self.module.State()
        row[: len(start)] = start
        return row


def name_of(module: ModuleType, parameters: Parameters) -> str:
    """Return the name with parameters, such as `macd_12_26_9`."""
    return "_".join([module.__name__.rpartition(".")[2], *(f"{value:g}" for value in parameters.values())])


def columns_of(module: ModuleType, parameters: Parameters) -> tuple[str, ...]:
    """Return the names of the outputs, such as `macd_12_26_9_signal`."""
    name = name_of(module, parameters)
    return tuple(f"{name}_{suffix}" if suffix else name for suffix in module.OUTPUTS)


def modules() -> list[ModuleType]:
    """Return the indicator modules in the order of their names."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__))
    return [import_module(f"{__name__}.{name}") for name in names]


def arrange(files: list[ModuleType]) -> tuple[Indicator, ...]:
    """Give every indicator and parameter set its place in a row."""
    row: list[Indicator] = []
    state_at = column_at = 0
    for module in files:
        address = load(module)
        for parameters in module.PARAMETERS:
            indicator = Indicator(module, parameters, address, state_at, column_at)
            row.append(indicator)
            state_at += indicator.state_width
            column_at += len(indicator.columns)
    return tuple(row)


@cache
def indicators() -> tuple[Indicator, ...]:
    """Return all indicators; compiles those that the cache does not hold yet."""
    return arrange(modules())


@cache
def columns() -> tuple[str, ...]:
    """Return the names of all outputs, in the order of a row of values; nothing is compiled for it."""
    sets = ((module, parameters) for module in modules() for parameters in module.PARAMETERS)
    return tuple(column for module, parameters in sets for column in columns_of(module, parameters))


def initial_row() -> Floats:
    """Return the states of all indicators before the first bar."""
    return np.concatenate([indicator.initial() for indicator in indicators()])


@cache
def _table() -> tuple[Ints, Ints, Ints, Floats]:
    row = indicators()
    addresses = np.array([indicator.address for indicator in row])
    ats = np.array([indicator.state_at for indicator in row])
    outputs = np.array([indicator.column_at for indicator in row])
    return addresses, ats, outputs, np.concatenate([indicator.arguments for indicator in row])


def fold_all(
    states: Floats, bars: Sequence[Floats], mask: int, rows: Ints, begin: Ints, end: Ints, out: Floats, commit: bool
) -> None:
    """Fold bars begin[k] to end[k] of series rows[k] through every indicator, a series at a time.

    `states` are rows like `initial_row()`, `bars` the six columns (series, bars), `out` is (k, outputs, bars); all are
    C-contiguous. Unless `commit`, states stay as they are.
    """
    opened_at, open_, high, low, close, volume = bars
    columns = (opened_at, open_, high, low, close, volume)
    fold_series(*_table(), states, columns, mask, rows, begin, end, out, commit)


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
    indicator.fold(states, 0, *rows, WHOLE, zero, zero, end, out, 0, True)
    values: Floats = out[0]
    return values
