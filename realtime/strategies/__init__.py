"""The strategies: each file here is one, found by listing the folder; live and backtest fold the same step.

A file is written like an indicator (`realtime/indicators`): a docstring, `PARAMETERS` (its defaults), `OUTPUTS` (always
INTENTS), optionally `memory(**parameters)`, and `State` and `step`. A step sees closed bars up to this one and answers
with what it wants from the next bar on:

- `target`: exposure in units of the position size, in [-1, 1], short is negative; NaN leaves everything as it is
- `limit`, `trigger`: enter by a limit or a stop order at this price; both NaN means a market order at the next open
- `stop`, `take`, `trail`: protective prices and the trailing distance; without a target they replace what is not NaN

A strategy may have `feed(columns, timeframe)`: it replaces the bars before they are folded (see `signal_score`).
"""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import ModuleType

from infra.errors import InputError
from ingestion.market import Timeframe
from realtime.indicators import Indicator, Parameters, batch
from realtime.kernels.generated import load
from realtime.kernels.kernel import Floats

INTENTS = ("target", "limit", "trigger", "stop", "take", "trail")
"""What every step answers, in this order."""


@cache
def names() -> tuple[str, ...]:
    """Return the names of all strategies, in the order of the alphabet."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


@cache
def module_of(name: str) -> ModuleType:
    """Return a strategy's file. Raises InputError that lists the known ones."""
    if name not in names():
        raise InputError(f"there is no strategy {name!r}; there are {', '.join(names())}")
    return import_module(f"{__name__}.{name}")


@cache
def _address(name: str) -> int:
    return load(module_of(name))


def strategy(name: str, parameters: Parameters | None = None) -> Indicator:
    """Return a compiled strategy with its defaults replaced by these parameters. Raises InputError on unknown ones."""
    module = module_of(name)
    defaults: Parameters = module.PARAMETERS[0]
    replaced = dict(parameters or {})
    if unknown := sorted(set(replaced) - set(defaults)):
        raise InputError(f"{name} has no parameter {', '.join(unknown)}; it has {', '.join(defaults) or 'none'}")
    for key, value in replaced.items():
        integral = isinstance(defaults[key], int)
        if not value > 0 or (integral and value != int(value)) or value > 10_000:
            raise InputError(
                f"{name}: {key} must be {'a whole number' if integral else 'a number'} in (0, 10000]: {value}"
            )
        replaced[key] = int(value) if integral else float(value)
    return Indicator(module, {**defaults, **replaced}, _address(name), 0, 0)


def intents(strategy: Indicator, columns: Mapping[str, Floats], timeframe: Timeframe) -> Floats:
    """Fold whole columns (`opened_at open high low close volume`) and return (INTENTS, bars)."""
    feed = getattr(strategy.module, "feed", None)
    return batch(strategy, feed(columns, timeframe) if feed else columns)
