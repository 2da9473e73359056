"""History meets what the lake holds: new candles are added, equal ones change nothing, our own complete ones hold."""

from dataclasses import dataclass

import polars as pl

from ingestion.lake.datasets import CANDLES
from ingestion.market import Quality

VALUES = dict.fromkeys(("open", "high", "low", "close"), "price_scale") | {"volume": "quantity_scale"}
"""Columns that are compared, each with the column of its scale."""
OURS = (Quality.COMPLETE.value, Quality.HEALED.value)
"""Candles of every trade: history that differs is counted and does not replace them."""


@dataclass
class Reconciled:
    """How rows of history compared with the lake's."""

    added: int = 0
    equal: int = 0
    revised: int = 0  # a candle with a gap, or from history before, got a new revision
    differing: int = 0  # ours was complete and holds


class Candles:
    """A `Resolve` for candles; `now` is when a revision becomes known."""

    def __init__(self, now: int) -> None:
        """Count from zero."""
        self.now = now
        self.counts = Reconciled()

    def __call__(self, there: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a partition with those that history adds."""
        if not len(there):
            self.counts.added += len(new)
            return new
        key = list(CANDLES.key)
        last = there.group_by(key, maintain_order=True).last()
        both = new.join(last, on=key, how="left", suffix="_held", nulls_equal=False)
        fresh, differs = pl.col("revision_held").is_null(), _differs()
        open_to = ~pl.col("quality_held").is_in(OURS)
        fuller = pl.col("trade_count").is_not_null() & pl.col("trade_count_held").is_null()
        replace = ~fresh & open_to & (differs | fuller)
        revised = both.filter(replace).with_columns(
            revision=pl.col("revision_held") + 1, known_at=pl.lit(self.now).cast(CANDLES.columns["known_at"])
        )
        added = both.filter(fresh)
        differing = both.filter(~fresh & ~open_to & differs)
        self.counts.added += len(added)
        self.counts.revised += len(revised)
        self.counts.differing += len(differing)
        self.counts.equal += len(new) - len(added) - len(revised) - len(differing)
        names = list(CANDLES.columns)
        return pl.concat([there, added.select(names), revised.select(names)])


def _differs() -> pl.Expr:
    """Return whether any amount differs, exactly: all are compared with 18 decimals."""
    unequal = pl.lit(value=False)
    for name, scale in VALUES.items():
        unequal |= _exact(name, scale) != _exact(f"{name}_held", f"{scale}_held")
    return unequal.fill_null(value=False)


def _exact(name: str, scale: str) -> pl.Expr:
    power = pl.col(scale).replace_strict({n: 10 ** (18 - n) for n in range(19)}, default=None, return_dtype=pl.Int64)
    return pl.col(name).cast(pl.Int128) * power.cast(pl.Int128)


def union(there: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Add rows that never change, as a `Resolve`: of equal keys the row that was there stays."""
    return pl.concat([there, new])
