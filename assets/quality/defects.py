"""Defects of data, found before it is published: each rule is one expression that is true where a row is wrong."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from ingestion.lake.datasets import Dataset


class Rule(NamedTuple):
    """`wrong` is evaluated over rows sorted by key and revision; null counts as right."""

    name: str
    wrong: pl.Expr
    means: str


class Defect(NamedTuple):
    """A rule that rows break, with the first of them."""

    rule: str
    rows: int
    means: str
    first: str


def schema_defects(dataset: Dataset, rows: pl.DataFrame) -> list[Defect]:
    """Return columns that are missing, foreign or of another type (a time without its zone is another type)."""
    defects = []
    expected: Mapping[str, pl.DataType] = dict(dataset.columns)
    for name in sorted(expected.keys() | rows.columns):
        has = rows.schema.get(name)
        if has != expected.get(name):
            difference = f"{name} is {has or 'missing'}, not {expected.get(name, 'a column of this dataset')}"
            defects.append(Defect("schema", len(rows), "columns are those of the dataset", difference))
    return defects


def defects(dataset: Dataset, rows: pl.DataFrame, rules: Iterable[Rule]) -> list[Defect]:
    """Return what is wrong with rows of a dataset; nothing further is looked at where the columns are wrong."""
    if broken := schema_defects(dataset, rows):
        return broken
    key = list(dataset.order)
    if not rows.select(key).equals(rows.select(key).sort(key, nulls_last=True)):
        disorder = "rows are not in the order of " + ", ".join(key)
        broken.append(Defect("sorted", len(rows), "rows stand in the order of their key", disorder))
        rows = rows.sort(key, maintain_order=True)
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in key)
    unique = Rule("unique", same & (pl.int_range(pl.len()) > 0), "no key and revision comes twice")
    for rule in (unique, *rules):
        wrong = rows.filter(rule.wrong)
        if len(wrong):
            first = ", ".join(str(wrong[name][0]) for name in key)
            broken.append(Defect(rule.name, len(wrong), rule.means, first))
    return broken
