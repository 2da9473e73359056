"""`cap load`: the lake into ClickHouse."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from assets.warehouse.load import connect, load
from infra.settings import settings
from ingestion.lake.reader import default_store


def load_(
    datasets: Annotated[list[str] | None, typer.Argument(help="Which datasets; all that the lake holds.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First day, such as 2023-01-01.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Day after the last.")] = None,
) -> None:
    """Bring the warehouse's tables up to the lake; what is there already stays and is not doubled.

    Example: [bold]cap load candles --from 2023-01-01[/bold]
    """
    client = connect(settings())
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("loading", total=None)
        done = load(
            client, default_store(), datasets or (), start=start, end=end,
            progress=lambda name, days: progress.update(task, description=f"{name}: {days:,} days"),
        )  # fmt: skip
    for one in done:
        Console().print(f"{one.dataset}: {one.rows:,} rows of {one.days:,} changed days", highlight=False)
