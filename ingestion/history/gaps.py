"""Gaps of candles: which openings are missing between the first and the last of a series, and what is known of why."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import polars as pl

from infra import clock
from ingestion.history.amounts import Ints
from ingestion.lake.datasets import GAPS
from ingestion.market import Series

MOST_LINES = 20


class Hole(NamedTuple):
    """Candles are missing from an opening time until before another."""

    from_at: int
    to_at: int


def holes(opened_at: Ints, length: int) -> list[Hole]:
    """Return the holes between sorted opening times.

    >>> holes(np.array([0, 10, 40, 50, 70]), 10)
    [Hole(from_at=20, to_at=40), Hole(from_at=60, to_at=70)]
    """
    before = np.flatnonzero(np.diff(opened_at) > length)
    return [Hole(int(opened_at[i]) + length, int(opened_at[i + 1])) for i in before]


def explanations(gaps: Mapping[Series, list[Hole]]) -> Callable[[Series, Hole], str]:
    """Explain holes by each other: one that all series of an exchange and timeframe share is the exchange's own."""
    peers: dict[tuple[str, str], list[Series]] = {}
    for series in gaps:
        peers.setdefault((series.exchange, series.timeframe), []).append(series)

    def explain(series: Series, hole: Hole) -> str:
        group = peers[series.exchange, series.timeframe]
        sharing = sum(hole in gaps[peer] for peer in group)
        if len(group) > 1 and sharing == len(group):
            return f"none of {len(group)} symbols traded: {series.exchange} stood still"
        return f"missing from the source for {sharing} of {len(group)} symbols"

    return explain


def gap_lines(gaps: Mapping[Series, list[Hole]]) -> list[str]:
    """Write the gaps for people, each once however many symbols have it."""
    explain, reasons = explanations(gaps), dict[tuple[str, str, Hole], str]()
    for series, series_holes in gaps.items():
        for hole in series_holes:
            reasons.setdefault((series.exchange, series.timeframe.value, hole), explain(series, hole))
    lines = [
        f"gap of {(hole.to_at - hole.from_at) // clock.MINUTE:,} minutes from {_time(hole.from_at)}, {timeframe}: {why}"
        for (_, timeframe, hole), why in sorted(reasons.items())
    ]
    more = [f"and {len(lines) - MOST_LINES:,} more; all are in the lake's `gaps`"]
    return lines[:MOST_LINES] + (more if len(lines) > MOST_LINES else [])


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / clock.SECOND, UTC).strftime("%Y-%m-%d %H:%M")


def gap_rows(gaps: Mapping[Series, list[Hole]], known: pl.DataFrame, known_at: int) -> pl.DataFrame:
    """Return the gap records to add now: gaps not known yet as `open`, known ones that are no more as `healed`.

    `known` holds the last revisions of the gaps of these series within the time looked at.
    """
    explain = explanations(gaps)
    there = {
        (row["exchange"], row["symbol"], row["timeframe"], row["from_at"], row["to_at"]): row
        for row in known.with_columns(pl.col("from_at", "to_at").to_physical()).to_dicts()
    }
    rows = []
    for series, series_holes in gaps.items():
        name = series.exchange, str(series.symbol), series.timeframe.value
        for hole in series_holes:
            old = there.pop((*name, *hole), None)
            if old is None or old["status"] != "open":
                revision = 0 if old is None else old["revision"] + 1
                rows.append((*name, *hole, known_at, revision, "open", 0, 0, explain(series, hole)))
    for key, old in there.items():
        if old["status"] == "open":
            rows.append((*key, known_at, old["revision"] + 1, "healed", 0, 0, old["reason"]))
    frame = pl.DataFrame(rows, list(GAPS.columns), orient="row", infer_schema_length=None)
    return frame.select(pl.col(name).cast(kind) for name, kind in GAPS.columns.items())
