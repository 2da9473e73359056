"""Columns of decimals to exact integers: each row's mantissa with the fewest decimals that write it exactly."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

NUMBER = r"^\s*\+?([0-9]*)(?:\.([0-9]*))?\s*$"
MOST_DECIMALS = 18
LARGEST = 2**63 - 1
EXACT = 2.0**53


class Amounts(NamedTuple):
    """Values are `mantissa / 10**scale`; a mantissa of -1 marks a row that is no plain decimal, or too long."""

    mantissa: Ints
    scale: Ints


def amounts(column: pl.Series) -> Amounts:
    """Read text or numbers that are not negative.

    >>> read = amounts(pl.Series(["27451.00", "0.00001230", "7", "-1", "x", None]))
    >>> read.mantissa.tolist(), read.scale.tolist()
    ([27451, 123, 7, -1, -1, -1], [0, 7, 0, 0, 0, 0])
    >>> [row.tolist() for row in amounts(pl.Series([0.1, 39432.48, 1e-7, float("nan"), -2.0]))]
    [[1, 3943248, 1, -1, -1], [1, 2, 7, 0, 0]]
    """
    if column.dtype.is_float():
        return _from_floats(column.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    return _from_text(column.cast(pl.String))


def _from_floats(values: npt.NDArray[np.float64]) -> Amounts:
    """Take the fewest decimals that give the same float64 again; what needs 16 digits or more is rounded to 15."""
    mantissa, scale = np.full(len(values), -1), np.zeros(len(values), np.int64)
    good = left = np.isfinite(values) & (values >= 0) & (values < EXACT)
    for decimals in range(MOST_DECIMALS + 1):
        power = 10.0**decimals
        rounded = np.where(left, np.rint(np.where(left, values, 0.0) * power), 0.0)
        exact = left & (rounded < EXACT) & (rounded / power == values)
        mantissa[exact], scale[exact] = rounded[exact].astype(np.int64), decimals
        left = left & ~exact
        if not left.any():
            return Amounts(mantissa, scale)
    noisy = good & (mantissa < 0)  # sums and averages of floats: no exchange writes so many digits
    rounded_texts = pl.Series([format(Decimal(f"{value:.15g}"), "f") for value in values[noisy]], dtype=pl.String)
    mantissa[noisy], scale[noisy] = _from_text(rounded_texts)
    return Amounts(mantissa, scale)


def _from_text(column: pl.Series) -> Amounts:
    parts = pl.DataFrame({"whole": column.str.extract(NUMBER, 1), "part": column.str.extract(NUMBER, 2)})
    parts = parts.with_columns(pl.col("part").fill_null("").str.strip_chars_end("0"))
    digits = (pl.col("whole") + pl.col("part")).str.strip_chars_start("0")
    empty = column.str.contains("[0-9]").fill_null(value=False)
    read = parts.select(
        mantissa=pl.when(digits == "").then(0).otherwise(digits.cast(pl.Int64, strict=False)).fill_null(-1),
        scale=pl.col("part").str.len_chars().cast(pl.Int64),
    )
    mantissa, scale = read["mantissa"].to_numpy().copy(), read["scale"].to_numpy().copy()
    wrong = ~empty.to_numpy() | (mantissa < 0) | (scale > MOST_DECIMALS)
    mantissa[wrong], scale[wrong] = -1, 0
    return Amounts(mantissa, scale)


def common(columns: Sequence[Amounts]) -> tuple[list[Ints], Ints]:
    """Write columns with one scale a row; a mantissa that would not fit becomes -1."""
    scale = np.max([column.scale for column in columns], axis=0)
    powers = np.array([10**n for n in range(MOST_DECIMALS + 1)])
    mantissas = []
    for column in columns:
        power = powers[scale - column.scale]
        fits = (column.mantissa >= 0) & (column.mantissa <= LARGEST // power)
        mantissas.append(np.where(fits, np.where(fits, column.mantissa, 0) * power, -1))
    return mantissas, scale
