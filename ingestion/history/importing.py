"""Files of history into the lake: checked whole, merged with what is there, and what is missing recorded as gaps."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from infra.errors import InputError
from ingestion.history.amounts import Ints
from ingestion.history.candles import candle_frame, is_candles
from ingestion.history.files import Raw
from ingestion.history.gaps import Hole, gap_rows, holes
from ingestion.history.reconciling import Candles, Reconciled, union
from ingestion.history.trades import is_trades, trade_frame
from ingestion.lake.datasets import CANDLES, GAPS, TRADES
from ingestion.lake.manifest import load
from ingestion.lake.reader import frame
from ingestion.lake.writer import Lake, latest, merge
from ingestion.market import Series, Symbol, Timeframe

SERIES = ["exchange", "symbol", "timeframe"]


@dataclass(frozen=True)
class Imported:
    """One file, or one fetched series, after it was merged into the lake."""

    rows: int
    reconciled: Reconciled
    gaps: dict[Series, list[Hole]]  # of its series, between the first and last of its candles


def import_file(lake: Lake, raw: Raw, exchange: str, symbol: str, timeframe: str) -> Imported:
    """Put one file's candles or trades into the lake. Raises InputError and changes nothing when a row is wrong."""
    if is_candles(raw):
        rows = candle_frame(raw, exchange, symbol, timeframe, lake.now)
        return merge_candles(lake, rows)
    if is_trades(raw):
        rows = trade_frame(raw, exchange, symbol)
        before = latest(lake, TRADES).rows
        added = merge(lake, TRADES, rows, union).rows - before
        return Imported(len(rows), Reconciled(added, len(rows) - added), {})
    raise InputError(f"{raw.origin} holds neither candles nor trades; it has {', '.join(raw.rows.columns)}")


def merge_candles(lake: Lake, rows: pl.DataFrame) -> Imported:
    """Put candles of history into the lake; return which are missing between the first and last of each series."""
    resolve = Candles(lake.now())
    merge(lake, CANDLES, rows, resolve)
    at = pl.col("opened_at").to_physical()
    spans = rows.group_by(SERIES).agg(at.min().alias("first"), at.max().alias("last")).sort(SERIES)
    return Imported(len(rows), resolve.counts, record_gaps(lake, spans))


def record_gaps(lake: Lake, spans: pl.DataFrame) -> dict[Series, list[Hole]]:
    """Compare gap records with candles; `spans` names series, each with its `first` and `last` opening time."""
    there = _there(lake, spans)
    gaps = {
        _series(row): holes(there[row["exchange"], row["symbol"], row["timeframe"]], _length(row["timeframe"]))
        for row in spans.to_dicts()
    }
    known = _known(lake, spans)
    merge(lake, GAPS, gap_rows(gaps, known, lake.now()), union)
    return gaps


def _series(row: dict[str, str]) -> Series:
    return Series(row["exchange"], Symbol.parse(row["symbol"]), Timeframe(row["timeframe"]))


def _length(timeframe: str) -> int:
    return Timeframe(timeframe).microseconds


def _there(lake: Lake, spans: pl.DataFrame) -> dict[tuple[str, str, str], Ints]:
    """Return the opening times that the lake holds of each series within its span."""
    bounds = pl.col("first").min().alias("start"), (pl.col("last").max() + 1).alias("end")
    rows = frame("candles", **spans.select(bounds).row(0, named=True), columns=[*SERIES, "opened_at"], store=lake.store)
    at = pl.col("opened_at").to_physical()
    rows = rows.join(spans, on=SERIES).filter((at >= pl.col("first")) & (at <= pl.col("last")))
    groups = rows.select(*SERIES, at).partition_by(SERIES, as_dict=True, include_key=False)
    return {(str(e), str(s), str(t)): group["opened_at"].to_numpy() for (e, s, t), group in groups.items()}


def _known(lake: Lake, spans: pl.DataFrame) -> pl.DataFrame:
    """Return the gaps known of these series within their spans."""
    if load(lake.store, GAPS.name) is None:
        return pl.DataFrame(schema=GAPS.columns)
    known = frame(GAPS.name, store=lake.store).join(spans, on=SERIES)
    inside = (pl.col("from_at").to_physical() >= pl.col("first")) & (pl.col("to_at").to_physical() <= pl.col("last"))
    return known.filter(inside).select(list(GAPS.columns))


def total(outcomes: Iterable[Imported]) -> Reconciled:
    """Add up the counts of several files."""
    counts = Reconciled()
    for outcome in outcomes:
        for name in vars(counts):
            setattr(counts, name, getattr(counts, name) + getattr(outcome.reconciled, name))
    return counts
