"""`cap load`: the lake into ClickHouse."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from assets.warehouse import load as warehouse
from infra.settings import settings
from ingestion.lake.reader import default_store


def load(
    datasets: Annotated[list[str] | None, typer.Argument(help="Which datasets; all that the lake holds.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, such as 2023-01-01.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day after the last.")] = None,
) -> None:
    """Bring the warehouse's tables up to the lake; what is there already stays and is not doubled.

    Example: [bold]cap load candles --from 2023-01-01[/bold]
    """
    client, store = warehouse.connect(settings()), default_store()
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("loading", total=None)

        def progress(name: str, days: int) -> None:
            bar.update(task, description=f"{name}: {days:,} days")

        loads = warehouse.load(client, store, datasets or (), start=start, end=end, progress=progress)
    for done in loads:
        Console().print(f"{done.dataset}: {done.rows:,} rows of {done.days:,} changed days", highlight=False)
