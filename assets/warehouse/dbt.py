"""dbt on our warehouse: the project's folder, the address from our settings, and `cap dbt`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from infra.settings import Settings, settings

PROJECT = Path(__file__).parents[2] / "dbt_project"


def environment(given: Settings) -> dict[str, str]:
    """Return the variables that `profiles.yml` reads.

    >>> environment(Settings(clickhouse_url="https://warehouse:8443"))["DBT_CLICKHOUSE_SECURE"]
    'True'
    """
    url = urlsplit(given.clickhouse)
    return {
        "DBT_CLICKHOUSE_HOST": url.hostname or "127.0.0.1",
        "DBT_CLICKHOUSE_PORT": str(url.port or 8123),
        "DBT_CLICKHOUSE_SECURE": "True" if url.scheme == "https" else "False",
        "DBT_CLICKHOUSE_USER": given.clickhouse_user,
        "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": given.clickhouse_password,
    }


def command(given: Settings, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the command line that runs dbt on our project, and its environment."""
    target = given.data_directory.absolute() / "dbt"
    places = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(target)]
    line = [sys.executable, "-P", "-c", "from dbt.cli.main import cli; cli()", *arguments, *places]
    return line, {**os.environ, **environment(given), "DBT_LOG_PATH": str(target)}


def dbt(
    arguments: Annotated[list[str], typer.Argument(help="What dbt is told: build, docs generate, …")],
) -> None:
    """Run dbt on the warehouse: its marts are rebuilt from what `cap load` brought.

    Example: [bold]cap dbt build[/bold]; options of dbt's own follow after --
    """
    from assets.warehouse.load import connect  # noqa: PLC0415  # Dagster imports this file for the rest of it
    from assets.warehouse.tables import create  # noqa: PLC0415

    given = settings()
    create(connect(given))
    line, variables = command(given, arguments)
    raise typer.Exit(subprocess.run(line, env=variables, check=False).returncode)  # noqa: S603 - our own command
