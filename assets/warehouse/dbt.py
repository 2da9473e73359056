"""dbt on our warehouse: the project's folder, and its command line with the address from our settings."""

import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from infra.settings import Settings

PROJECT = Path(__file__).parents[2] / "dbt_project"


def environment(config: Settings) -> dict[str, str]:
    """Return the variables that `profiles.yml` reads.

    >>> environment(Settings(clickhouse_url="https://warehouse:8443"))["DBT_CLICKHOUSE_SECURE"]
    'True'
    """
    url = urlsplit(config.clickhouse)
    return {
        "DBT_CLICKHOUSE_HOST": url.hostname or "127.0.0.1",
        "DBT_CLICKHOUSE_PORT": str(url.port or 8123),
        "DBT_CLICKHOUSE_SECURE": "True" if url.scheme == "https" else "False",
        "DBT_CLICKHOUSE_USER": config.clickhouse_user,
        "DBT_ENV_SECRET_CLICKHOUSE_PASSWORD": config.clickhouse_password,
    }


def command(config: Settings, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the command line that runs dbt on our project, and its environment."""
    target = config.data_directory.absolute() / "dbt"
    places = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(target)]
    line = [sys.executable, "-P", "-c", "from dbt.cli.main import cli; cli()", *arguments, *places]
    return line, {**os.environ, **environment(config), "DBT_LOG_PATH": str(target)}
