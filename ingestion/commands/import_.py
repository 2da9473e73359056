"""`cap import`: files of candles and trades into the lake."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.errors import InputError
from ingestion.history.files import read_files
from ingestion.history.gaps import gap_lines
from ingestion.history.importing import Imported, import_file, total
from ingestion.history.progress import progress_bar
from ingestion.lake.reader import default_store
from ingestion.lake.writer import Lake

PATHS = "CSV, Parquet or Feather files, zips of them (Binance's public archives among them), or folders."


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
    with progress_bar() as progress:
        task = progress.add_task("files", total=len(paths))
        for path in paths:
            for raw in read_files(path):
                progress.update(task, description=Path(raw.origin).name)
                outcomes.append(import_file(lake, raw, exchange.lower(), symbol, timeframe))
            progress.advance(task)
    counts, console = total(outcomes), Console()
    console.print(
        f"{counts.added:,} rows added, {counts.equal:,} were there, {counts.revised:,} revised, "
        f"{counts.differing:,} differ from our own",
        highlight=False,
    )
    for line in gap_lines({series: holes for outcome in outcomes for series, holes in outcome.gaps.items()}):
        console.print(line, highlight=False, soft_wrap=True)
