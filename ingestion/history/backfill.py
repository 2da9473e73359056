"""The exchanges' own candles of the past, fetched into the lake.

In pieces that are each committed: a piece whose candles are there already is not fetched again, so that an interrupted
backfill goes on where it was.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
import structlog
from rich.progress import Progress

from infra.errors import InputError
from infra.settings import Settings
from ingestion.exchange import Exchange
from ingestion.exchanges import open_exchange
from ingestion.history.gaps import Hole
from ingestion.history.importing import Imported, merge_candles, record_gaps, total
from ingestion.history.progress import progress_bar
from ingestion.history.reconciling import union
from ingestion.lake.datasets import CANDLES, INSTRUMENTS
from ingestion.lake.manifest import load
from ingestion.lake.reader import frame
from ingestion.lake.rows import candle_frame, instrument_frame
from ingestion.lake.writer import Lake, merge
from ingestion.market import Instrument, Series, Symbol, Timeframe
from ingestion.messages import Rows
from ingestion.streams.rest import RestClient

PIECE = 10_000
"""Candles that are fetched and committed together."""
FETCHED = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1)
"""Longer candles are built from these: exchanges open them by their own calendars."""


class Span(NamedTuple):
    """Candles of one timeframe with `start <= opened_at < end`, both aligned."""

    timeframe: Timeframe
    start: int
    end: int

    def pieces(self) -> list[tuple[int, int]]:
        """Return the begins and ends of the pieces.

        >>> Span(Timeframe.H1, 0, 30 * 24 * 3_600_000_000).pieces()
        [(0, 2592000000000)]
        """
        step = PIECE * self.timeframe.microseconds
        return [(at, min(at + step, self.end)) for at in range(self.start, self.end, step)]


async def fetch_all(
    lake: Lake, config: Settings, names: Sequence[str], symbols: Sequence[Symbol], span: Span
) -> list[Imported]:
    """Fetch from all exchanges side by side. Raises InputError when none lists any of the symbols."""
    with progress_bar() as progress:
        exchanges = [open_exchange(name, config.simulator_url) for name in names]
        work = [_fetch(lake, exchange, symbols, span, progress) for exchange in exchanges]
        outcomes = [series for outcome in await asyncio.gather(*work) for series in outcome]
    if not outcomes:
        raise InputError(f"{', '.join(names)}: none lists {', '.join(map(str, symbols))}")
    return outcomes


async def _fetch(
    lake: Lake, exchange: Exchange, symbols: Sequence[Symbol], span: Span, progress: Progress
) -> list[Imported]:
    rest = RestClient(exchange)
    try:
        listed = await exchange.instruments(rest)
        merge(lake, INSTRUMENTS, instrument_frame(listed, lake.now()), union)
        instruments = {instrument.symbol: instrument for instrument in listed if instrument.symbol in symbols}
        if missing := [str(symbol) for symbol in symbols if symbol not in instruments]:
            structlog.get_logger().warning("not listed", exchange=exchange.name, symbols=", ".join(missing))
        return [await _fetch_series(lake, exchange, rest, i, span, progress) for i in instruments.values()]
    finally:
        await rest.close()


async def _fetch_series(
    lake: Lake, exchange: Exchange, rest: RestClient, instrument: Instrument, span: Span, progress: Progress
) -> Imported:
    """Fetch one symbol piece by piece, then look for gaps in all of the span: those between pieces count too."""
    series = Series(exchange.name, instrument.symbol, span.timeframe)
    pieces, outcomes = span.pieces(), []
    task = progress.add_task(str(series), total=len(pieces))
    for since, until in pieces:
        if not _complete(lake, series, span._replace(start=since, end=until)):
            rows = await exchange.candles(rest, instrument, span.timeframe, since=since, until=until)
            if len(rows):
                outcomes.append(merge_candles(lake, _table(exchange, series, rows)))
        progress.advance(task)
    holes = await asyncio.to_thread(_holes, lake, series, span)
    counts = total(outcomes)
    return Imported(counts.added + counts.equal, counts, {series: holes})


def _table(exchange: Exchange, series: Series, rows: Rows) -> pl.DataFrame:
    """Return fetched CANDLE rows of one series as rows of `candles`, marked where a simulator made them up."""
    names = ([name] * len(rows) for name in (series.exchange, str(series.symbol), series.timeframe.value))
    exchanges, symbols, timeframes = names
    return candle_frame(exchanges, symbols, timeframes, rows, simulated=exchange.simulator_url is not None)


def _complete(lake: Lake, series: Series, piece: Span) -> bool:
    """Return whether the lake holds every candle of a piece, none of them with a gap."""
    qualities = _column(lake, series, piece, "quality")
    return len(qualities) == (piece.end - piece.start) // piece.timeframe.microseconds and "gap" not in qualities


def _holes(lake: Lake, series: Series, span: Span) -> list[Hole]:
    """Record the gaps between the first and the last candle that the lake holds of a span."""
    opened_at = _column(lake, series, span, "opened_at").to_physical()
    if not len(opened_at):
        return []
    names = {"exchange": series.exchange, "symbol": str(series.symbol), "timeframe": series.timeframe.value}
    return record_gaps(lake, pl.DataFrame([{**names, "first": opened_at[0], "last": opened_at[-1]}]))[series]


def _column(lake: Lake, series: Series, span: Span, name: str) -> pl.Series:
    """Return a column of a series' candles within a span; before the first import the lake holds none."""
    if load(lake.store, "candles") is None:
        return pl.Series(name, dtype=CANDLES.columns[name])
    return frame(
        "candles",
        symbols=[str(series.symbol)],
        exchange=series.exchange,
        timeframe=series.timeframe,
        start=span.start,
        end=span.end,
        columns=[name],
        store=lake.store,
    )[name]
