"""`cap dbt`: dbt on our warehouse."""

import subprocess
from typing import Annotated

import typer

from assets.warehouse.dbt import command
from assets.warehouse.load import connect
from assets.warehouse.tables import create
from infra.settings import settings


def dbt(
    arguments: Annotated[list[str], typer.Argument(help="What dbt is told: build, docs generate, …")],
) -> None:
    """Run dbt on the warehouse: its marts are rebuilt from what `cap load` brought.

    Example: [bold]cap dbt build[/bold]; options of dbt's own follow after --
    """
    config = settings()
    create(connect(config))
    line, variables = command(config, arguments)
    raise typer.Exit(subprocess.run(line, env=variables, check=False).returncode)  # noqa: S603 - our own command
