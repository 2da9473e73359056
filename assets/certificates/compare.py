"""Outputs held against each other, bit by bit, as far as they were known at a time."""

from collections.abc import Callable, Mapping
from warnings import catch_warnings, simplefilter

import numpy as np

from assets.certificates.table import CLOCK, Column, Columns
from infra.errors import InputError

Outputs = Mapping[str, Column]
"""One value a row of the table; with a column `known_at` of their own, rows of any number, known at those times."""
Function = Callable[[Columns], Mapping[str, object]]


def run(function: Function, table: Columns) -> dict[str, Column]:
    """Call a function on a copy of a table; return its outputs as arrays. Raises InputError on a wrong length."""
    with catch_warnings(), np.errstate(all="ignore"):
        simplefilter("ignore")
        answer = function({name: column.copy() for name, column in table.items()})
    outputs = {name: np.asarray(values) for name, values in answer.items()}
    rows = len(outputs[CLOCK]) if CLOCK in outputs else len(table[CLOCK])
    for name, values in outputs.items():
        if values.ndim != 1 or len(values) != rows:
            shape = " x ".join(map(str, values.shape)) or "no"
            raise InputError(
                f"{name} has {shape} values for {rows} rows; keep one a row (NaN where there is none), or return "
                f"a column {CLOCK} that says when each was known"
            )
    return outputs


def known(table: Columns, outputs: Outputs, at: int) -> dict[str, Column]:
    """Return what a function had said by a time."""
    rows = outputs.get(CLOCK, table[CLOCK]) <= at
    return {name: column[rows] for name, column in outputs.items()}


def different(before: Column, after: Column) -> Column:
    """Return where values differ: numbers by their bits (every NaN is the same), anything else by equality.

    >>> nan = float("nan")
    >>> different(np.array([0.0, nan, 1.0]), np.array([-0.0, nan, 1.0])).tolist()
    [True, False, False]
    """
    if before.dtype.kind == after.dtype.kind == "f":
        left, right = before.astype(np.float64), after.astype(np.float64)
        bits = left.view(np.int64) != right.view(np.int64)
        where: Column = bits & ~(np.isnan(left) & np.isnan(right))
        return where
    return np.array([a != b for a, b in zip(before.tolist(), after.tolist(), strict=True)], bool)


def first_difference(values: Column, now: Column | None) -> int | None:
    """Return the first row in which an output is not what it was; a row too many or too few counts.

    >>> first_difference(np.array([1.0, 2.0]), np.array([1.0]))
    1
    """
    if now is None:
        return 0
    both = min(len(values), len(now))
    rows = np.flatnonzero(different(values[:both], now[:both]))
    if len(rows):
        return int(rows[0])
    return both if len(values) != len(now) else None


def shown(values: Column | None, row: int) -> str:
    """Write one value of an output for a person; `missing` where there is no such row."""
    return "missing" if values is None or row >= len(values) else str(values[row].item())


def present(column: Column) -> Column:
    """Return in which rows there is a value."""
    return ~np.isnan(column) if column.dtype.kind == "f" else np.array([value is not None for value in column], bool)
