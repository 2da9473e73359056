"""Other futures: each noise returns the table with everything known after a time replaced, and nothing else touched.

Prices stay legal candles and nothing becomes NaN, so that a function has no excuse to behave differently.
"""

from collections.abc import Callable

import numpy as np

from assets.certificates.table import CLOCK, PRICES, Column, Columns, path
from infra.clock import DAY

Table = dict[str, Column]
Noise = Callable[[Columns, int], Table]
SEED = 20


def walked(table: Columns, cut: int) -> Table:
    """Go on as a random walk from the last price."""
    later, draw = _later(table, cut), np.random.default_rng(SEED)
    future = {name: column.copy() for name, column in table.items()}
    count = int(later.sum())
    if _has_prices(table) and count:
        before = table["close"][~later]
        start = float(before[-1]) if len(before) else float(table["close"][0])
        moves = draw.normal(0.0, 0.02, count)
        for name, values in path(start, moves, np.full(count, 0.02), draw).items():
            future[name][later] = values
    return _rest(future, later, draw)


def scaled(table: Columns, cut: int) -> Table:
    """Multiply every number after the cut by seven."""
    return _changed(table, cut, lambda values: values * 7)


def shuffled(table: Columns, cut: int) -> Table:
    """Put the rows into another order; times stay in theirs."""
    later, draw = _later(table, cut), np.random.default_rng(SEED)
    order = draw.permutation(int(later.sum()))
    return _changed(table, cut, lambda values: values[order])


def extreme(table: Columns, cut: int) -> Table:
    """Alternate between a million times as much and a millionth."""
    later = _later(table, cut)
    factor = np.where(np.arange(int(later.sum())) % 2 == 0, 1e6, 1e-6)
    return _changed(table, cut, lambda values: values * factor if values.dtype.kind == "f" else values[::-1])


def delayed(table: Columns, cut: int) -> Table:
    """Let a week pass before the next row."""
    later = _later(table, cut)
    future = {name: column.copy() for name, column in table.items()}
    for name in _times(table):
        future[name][later] += 7 * DAY
    return future


def truncated(table: Columns, cut: int) -> Table:
    """End the table at the cut."""
    keep = ~_later(table, cut)
    return {name: column[keep] for name, column in table.items()}


def extended(table: Columns, cut: int) -> Table:
    """Go on after the last row, for half as many rows again."""
    count = max(1, len(table[CLOCK]) // 2)
    more = {name: column[-count:].copy() for name, column in table.items()}
    step = int(table[CLOCK][-1] - table[CLOCK][0]) + DAY
    for name in _times(table):
        more[name] += step // DAY * DAY
    longer = {name: np.concatenate([column, more[name]]) for name, column in table.items()}
    return walked(longer, max(cut, int(table[CLOCK][-1])))


NOISES: dict[str, Noise] = {
    "continued as a random walk": walked,
    "made a million times larger and smaller": extreme,
    "multiplied by seven": scaled,
    "put into another order": shuffled,
    "moved a week away": delayed,
    "cut off": truncated,
    "followed by more rows": extended,
}


def _later(table: Columns, cut: int) -> Column:
    later: Column = table[CLOCK] > cut
    return later


def _has_prices(table: Columns) -> bool:
    return all(name in table and table[name].dtype.kind == "f" for name in PRICES)


def _times(table: Columns) -> list[str]:
    return [name for name in table if name.endswith("_at")]


def _numbers(table: Columns) -> list[str]:
    return [name for name, column in table.items() if not name.endswith("_at") and column.dtype.kind in "fiu"]


def _changed(table: Columns, cut: int, change: Callable[[Column], Column]) -> Table:
    later = _later(table, cut)
    future = {name: column.copy() for name, column in table.items()}
    for name in _numbers(table):
        future[name][later] = change(future[name][later])
    return future


def _rest(future: Table, later: Column, draw: np.random.Generator) -> Table:
    """Replace what is not a price: numbers by others of their size, flags by the toss of a coin."""
    count = int(later.sum())
    for name in _numbers(future):
        if name not in PRICES or not _has_prices(future):
            values = draw.permutation(future[name][later])
            future[name][later] = values * np.exp(draw.normal(size=count)) if values.dtype.kind == "f" else values
    for column in future.values():
        if column.dtype.kind == "b":
            column[later] = draw.random(count) < 0.5
    return future
