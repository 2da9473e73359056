"""`cap backfill`: the exchanges' own candles of the past into the lake."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from infra.errors import InputError
from infra.settings import Settings, settings
from ingestion.history.backfill import FETCHED, Span, fetch_all
from ingestion.history.gaps import gap_lines
from ingestion.history.importing import total
from ingestion.lake.reader import default_store, microseconds
from ingestion.lake.writer import Lake
from ingestion.market import Symbol, Timeframe


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
    config = settings()
    if timeframe not in FETCHED:
        raise InputError(f"--timeframe {timeframe}: fetch {', '.join(FETCHED)}; longer candles are built from 1h")
    lake = Lake(default_store())
    last = timeframe.opened_at(min(microseconds(end) if end else lake.now(), lake.now()))
    span = Span(timeframe, timeframe.opened_at(microseconds(start)), last)
    if span.start >= span.end:
        raise InputError(f"--from {start} is not before the end: there is nothing to fetch")
    names = tuple(exchange.split(",")) if exchange else config.exchanges
    outcomes = asyncio.run(fetch_all(lake, config, names, _symbols(symbols, config), span))
    counts, console = total(outcomes), Console()
    console.print(
        f"{counts.added:,} candles added, {counts.equal:,} equal ours, {counts.revised:,} revised, "
        f"{counts.differing:,} differ from our own",
        highlight=False,
    )
    for line in gap_lines({series: holes for outcome in outcomes for series, holes in outcome.gaps.items()}):
        console.print(line, highlight=False, soft_wrap=True)


def _symbols(text: str, config: Settings) -> list[Symbol]:
    """Return the symbols of the option, else those of the settings, which must name them."""
    names = text.split(",") if text else config.symbols
    if "*" in names and not text:
        raise InputError("name the symbols to fetch: --symbols BTC-USDT,ETH-USDT")
    return [Symbol.parse(name) for name in names]
