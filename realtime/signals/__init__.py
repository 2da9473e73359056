"""The rules: each file here is one, found by listing the folder.

A file has a docstring (what it says and why), `WEIGHT` (its share in the score), `rule(view) -> values` (one number in
[-1, 1] per series, NaN while it has no opinion because an indicator is still warming up) and `reason(value, at)`
(one sentence; `at` maps column names to this series' numbers). A rule is plain NumPy over all series that close
together; it sees closed bars up to this one and nothing else: the View. It is tried once when it is loaded, and one
that names a column which does not exist is refused.
"""

import hashlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from infra.errors import SettingsError
from ingestion.market import TIMEFRAMES, Timeframe
from realtime.indicators import columns
from realtime.kernels.kernel import Floats

BARS = ("open", "high", "low", "close", "volume")
RECENT = 32
"""Bars that a rule may look back, the closed one included."""


@dataclass(frozen=True, slots=True)
class View:
    """Columns over n series. A column is an indicator's output such as `rsi_14`, or one of BARS."""

    names: Mapping[str, int]  # column -> index
    now: Floats  # (n, columns) at the closed bar
    before: Floats  # (n, columns) at the bar before it, NaN if there is none
    bars: Mapping[str, Floats]  # name -> (n, RECENT): the last bars, the closed one last, NaN before the first
    others: Mapping[Timeframe, Floats]  # (n, columns) of the same line's other timeframes: last bar closed by then

    def __getitem__(self, column: str) -> Floats:
        """Return a column at the closed bar."""
        return self.bars[column][:, -1] if column in self.bars else self._column(self.now, column)

    def previous(self, column: str) -> Floats:
        """Return a column at the bar before."""
        return self.bars[column][:, -2] if column in self.bars else self._column(self.before, column)

    def other(self, timeframe: Timeframe, column: str) -> Floats:
        """Return a column of another timeframe."""
        return self._column(self.others[timeframe], column)

    def _column(self, values: Floats, column: str) -> Floats:
        numbers: Floats = values[:, self.names[column]]
        return numbers


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule and what names its version."""

    name: str
    module: ModuleType
    weight: float
    version: str  # hash of the file


@cache
def rules() -> tuple[Rule, ...]:
    """Return all rules in the order of their names. Raises SettingsError when one names an unknown column."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__))
    return tuple(_rule(name, import_module(f"{__name__}.{name}")) for name in names)


def _rule(name: str, module: ModuleType) -> Rule:
    _try(name, module)
    content = Path(str(module.__file__)).read_bytes()
    return Rule(name, module, float(module.WEIGHT), hashlib.sha256(content).hexdigest()[:16])


class _Columns(dict[str, Any]):
    """Columns of a trial, which answers a name that is not among them by naming the rule."""

    def __init__(self, rule: str, columns: Mapping[str, Any]) -> None:
        super().__init__(columns)
        self._rule = rule

    def __missing__(self, column: str) -> Any:
        near = ", ".join(get_close_matches(column, (*columns(), *BARS)))
        hint = f"; did you mean {near}?" if near else ""
        raise SettingsError(f"the rule {self._rule} names the column {column!r}, which does not exist{hint}")


def _try(name: str, module: ModuleType) -> None:
    # Live, an unknown column would be noticed at the first bar that closes, in the middle of the fold; so every rule
    # is tried on three invented series (not warm, rising, falling) before anything runs.
    numbers = np.repeat([[np.nan], [1.0], [-1.0]], len(columns()), axis=1)
    recent = {bar: np.repeat([[np.nan], [1.0], [-1.0]], RECENT, axis=1) for bar in BARS}
    index = _Columns(name, {column: k for k, column in enumerate(columns())})
    view = View(index, numbers, numbers, _Columns(name, recent), dict.fromkeys(TIMEFRAMES, numbers))
    with np.errstate(all="ignore"):
        module.rule(view)
    at = _Columns(name, dict.fromkeys((*columns(), *BARS), 1.0))
    for value in (-1.0, -0.4, 0.4, 1.0):
        module.reason(value, at)
