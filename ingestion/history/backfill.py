"""`cap backfill`: the exchanges' own candles of the past into the lake.

In pieces that are each committed: a piece whose candles are there already is not fetched again, so that an interrupted
backfill goes on where it was.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import polars as pl
import structlog
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra.errors import InputError
from infra.settings import Settings, settings
from ingestion.commands.import_ import gap_lines
from ingestion.exchange import Exchange
from ingestion.exchanges import open_exchange
from ingestion.history.gaps import Hole
from ingestion.history.importing import Imported, merge_candles, record_gaps, total
from ingestion.history.reconciling import union
from ingestion.lake.datasets import INSTRUMENTS
from ingestion.lake.manifest import load
from ingestion.lake.reader import default_store, frame, microseconds
from ingestion.lake.rows import candle_frame, instrument_frame
from ingestion.lake.writer import Lake, merge
from ingestion.market import Instrument, Series, Symbol, Timeframe
from ingestion.streams.rest import RestClient

PIECE = 10_000
"""Candles that are fetched and committed together."""
FETCHED = (Timeframe.M1, Timeframe.M5, Timeframe.M15, Timeframe.H1)
"""Longer candles are built from these: exchanges open them by their own calendars."""


class Wanted(NamedTuple):
    """Which candles are wanted: `start <= opened_at < end`, both aligned."""

    timeframe: Timeframe
    start: int
    end: int

    def pieces(self) -> list[tuple[int, int]]:
        """Return the begins and ends of the pieces.

        >>> day = Wanted(Timeframe.H1, 0, 30 * 24 * 3_600_000_000)
        >>> day.pieces()
        [(0, 2592000000000)]
        """
        step = PIECE * self.timeframe.microseconds
        return [(at, min(at + step, self.end)) for at in range(self.start, self.end, step)]


def backfill(
    start: Annotated[str, typer.Option("--from", help="First day or time, UTC, such as 2023-01-01.")],
    symbols: Annotated[str, typer.Option(help="Symbols, separated by commas; CAP_SYMBOLS.")] = "",
    end: Annotated[str, typer.Option("--to", help="End, not included; now.")] = "",
    timeframe: Annotated[Timeframe, typer.Option(help="1m, 5m, 15m or 1h.")] = Timeframe.M1,
    exchange: Annotated[str, typer.Option(help="Exchanges, separated by commas; CAP_EXCHANGES.")] = "",
) -> None:
    """Fetch the exchanges' own closed candles into the lake, within their limits; ours are compared with them.

    It may be interrupted and repeated. Candles with gaps get a revision; complete ones of ours hold, and differences
    are counted.

    Example: [bold]cap backfill --symbols BTC-USDT,ETH-USDT --from 2023-01-01 --timeframe 1h[/bold]
    """
    given = settings()
    if timeframe not in FETCHED:
        raise InputError(f"--timeframe {timeframe}: fetch {', '.join(FETCHED)}; longer candles are built from 1h")
    lake = Lake(default_store())
    last = timeframe.opened_at(min(microseconds(end) if end else lake.now(), lake.now()))
    wanted = Wanted(timeframe, timeframe.opened_at(microseconds(start)), last)
    if wanted.start >= wanted.end:
        raise InputError(f"--from {start} is not before the end: there is nothing to fetch")
    chosen = [Symbol.parse(one) for one in symbols.split(",")] if symbols else _configured(given)
    names = tuple(exchange.split(",")) if exchange else given.exchanges
    found = asyncio.run(fetch_all(lake, given, names, chosen, wanted))
    whole, console = total(found), Console()
    console.print(
        f"{whole.added:,} candles added, {whole.equal:,} equal ours, {whole.revised:,} revised, "
        f"{whole.differing:,} differ from our own", highlight=False,
    )  # fmt: skip
    gaps = {series: holes for one in found for series, holes in one.gaps.items()}
    for line in gap_lines(gaps):
        console.print(line, highlight=False, soft_wrap=True)


def _configured(given: Settings) -> list[Symbol]:
    if "*" in given.symbols:
        raise InputError("name the symbols to fetch: --symbols BTC-USDT,ETH-USDT")
    return [Symbol.parse(one) for one in given.symbols]


async def fetch_all(
    lake: Lake, given: Settings, names: Sequence[str], symbols: Sequence[Symbol], wanted: Wanted
) -> list[Imported]:
    """Fetch from all exchanges side by side. Raises InputError when none lists any of the symbols."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        work = [_fetch(lake, open_exchange(n, given.simulator_url), symbols, wanted, progress) for n in names]
        found = [one for some in await asyncio.gather(*work) for one in some]
    if not found:
        raise InputError(f"{', '.join(names)}: none lists {', '.join(map(str, symbols))}")
    return found


async def _fetch(
    lake: Lake, exchange: Exchange, symbols: Sequence[Symbol], wanted: Wanted, progress: Progress
) -> list[Imported]:
    rest = RestClient(exchange)
    try:
        listed = await exchange.instruments(rest)
        merge(lake, INSTRUMENTS, instrument_frame(listed, lake.now()), union)
        chosen = {one.symbol: one for one in listed if one.symbol in symbols}
        if missing := [str(one) for one in symbols if one not in chosen]:
            structlog.get_logger().warning("not listed", exchange=exchange.name, symbols=", ".join(missing))
        return [await _fetch_series(lake, exchange, rest, one, wanted, progress) for one in chosen.values()]
    finally:
        await rest.close()


async def _fetch_series(
    lake: Lake, exchange: Exchange, rest: RestClient, instrument: Instrument, wanted: Wanted, progress: Progress
) -> Imported:
    """Fetch one symbol piece by piece, then compare the whole time with what is known of gaps."""
    series = Series(exchange.name, instrument.symbol, wanted.timeframe)
    pieces, done = wanted.pieces(), []
    task = progress.add_task(str(series), total=len(pieces))
    for since, until in pieces:
        if not _whole(lake, series, since, until):
            rows = await exchange.candles(rest, instrument, wanted.timeframe, since=since, until=until)
            if len(rows):
                name, symbol, length = exchange.name, str(instrument.symbol), wanted.timeframe.value
                count, simulated = len(rows), exchange.simulator_url is not None
                table = candle_frame([name] * count, [symbol] * count, [length] * count, rows, simulated=simulated)
                done.append(merge_candles(lake, table))
        progress.advance(task)
    holes = await asyncio.to_thread(_holes, lake, series, wanted)
    whole = total(done)
    return Imported(whole.added + whole.equal, whole, {series: holes})


def _whole(lake: Lake, series: Series, since: int, until: int) -> bool:
    """Tell whether the lake holds every candle of a piece, none of them with a gap."""
    if load(lake.store, "candles") is None:
        return False
    held = frame(
        "candles", symbols=[str(series.symbol)], exchange=series.exchange, timeframe=series.timeframe, start=since,
        end=until, columns=["quality"], store=lake.store,
    )  # fmt: skip
    return len(held) == (until - since) // series.timeframe.microseconds and "gap" not in held["quality"]


def _holes(lake: Lake, series: Series, wanted: Wanted) -> list[Hole]:
    """Record the gaps of the whole time, those between pieces too."""
    if load(lake.store, "candles") is None:
        return []
    span = {"exchange": series.exchange, "symbol": str(series.symbol), "timeframe": series.timeframe.value}
    there = frame(
        "candles", symbols=[span["symbol"]], exchange=series.exchange, timeframe=span["timeframe"], start=wanted.start,
        end=wanted.end, columns=["opened_at"], store=lake.store,
    )["opened_at"].to_physical()  # fmt: skip
    if not len(there):
        return []
    spans = pl.DataFrame([{**span, "first": there[0], "last": there[-1]}])
    return record_gaps(lake, spans)[series]
