"""`cap import`: files of candles and trades into the lake."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra import clock
from infra.errors import InputError
from ingestion.history.files import read_files
from ingestion.history.gaps import Hole, explanations
from ingestion.history.importing import Imported, import_file, total
from ingestion.lake.reader import default_store
from ingestion.lake.writer import Lake
from ingestion.market import Series

PATHS = "CSV, Parquet or Feather files, zips of them (Binance's public archives among them), or folders."
MOST_GAPS = 20


def import_(
    paths: Annotated[list[Path], typer.Argument(help=PATHS)],
    exchange: Annotated[str, typer.Option(help="Where the history was traded.")],
    symbol: Annotated[str, typer.Option(help="Its symbol, where the file or its name does not say it.")] = "",
    timeframe: Annotated[str, typer.Option(help="Its timeframe, where nothing in the file tells it.")] = "",
) -> None:
    """Import history into the lake: candles or trades, whatever a file holds.

    A file with a wrong row is refused whole. What is there already changes nothing, so an import may be repeated.
    Candles that are missing between the first and the last become gap records.

    Example: [bold]cap import BTCUSDT-1m-2023-01.zip --exchange binance[/bold]
    """
    if not exchange.isidentifier():
        raise InputError(f"--exchange {exchange}: write a name such as binance")
    lake, outcomes = Lake(default_store()), list[Imported]()
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("files", total=len(paths))
        for path in paths:
            for raw in read_files(path):
                progress.update(task, description=Path(raw.origin).name)
                outcomes.append(import_file(lake, raw, exchange.lower(), symbol, timeframe))
            progress.advance(task)
    whole, gaps = total(outcomes), {series: some for one in outcomes for series, some in one.gaps.items()}
    console.print(
        f"{whole.added:,} rows added, {whole.equal:,} were there, {whole.revised:,} revised, "
        f"{whole.differing:,} differ from our own", highlight=False,
    )  # fmt: skip
    for line in gap_lines(gaps):
        console.print(line, highlight=False, soft_wrap=True)


def gap_lines(found: dict[Series, list[Hole]]) -> list[str]:
    """Write the gaps for people, each once however many symbols have it."""
    explain, told = explanations(found), dict[tuple[str, str, Hole], str]()
    for series, some in found.items():
        for hole in some:
            told.setdefault((series.exchange, series.timeframe.value, hole), explain(series, hole))
    lines = [
        f"gap of {(hole.to_at - hole.from_at) // clock.MINUTE:,} minutes from {_time(hole.from_at)}, {timeframe}: {why}"
        for (_, timeframe, hole), why in sorted(told.items())
    ]
    more = [f"and {len(lines) - MOST_GAPS:,} more; all are in the lake's `gaps`"]
    return lines[:MOST_GAPS] + (more if len(lines) > MOST_GAPS else [])


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / clock.SECOND, UTC).strftime("%Y-%m-%d %H:%M")
