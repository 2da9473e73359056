"""`cap dagster`: Dagster's UI, daemon and our code location as one process tree, with its storage in PostgreSQL."""

import os
import sys
from pathlib import Path

from assets.database import database
from infra.files import write_atomically
from infra.settings import settings

DATABASE = "dagster"
WORKSPACE = Path(__file__).parents[2] / "workspace.yaml"
INSTANCE = b"""\
# Written by `cap dagster` at each start.
storage:
  postgres:
    postgres_url:
      env: DAGSTER_POSTGRES_URL
concurrency:
  runs:
    max_concurrent_runs: 2
run_monitoring:
  enabled: true
freshness:
  enabled: true
telemetry:
  enabled: false
"""


def dagster() -> None:
    """Open the Dagster UI: assets, lineage, partitions, runs, schedules and sensors (http://127.0.0.1:3000).

    Runs and events are kept in the database `dagster` of CAP_POSTGRES_URL, logs in CAP_DATA_DIRECTORY/dagster.
    """
    config = settings()
    home = (config.data_directory / "dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    write_atomically(home / "dagster.yaml", INSTANCE)
    os.environ |= {
        "DAGSTER_HOME": str(home),
        # Dagster speaks psycopg 2 only; without a name SQLAlchemy would take 3.
        "DAGSTER_POSTGRES_URL": database(config.postgres, DATABASE, "psycopg2"),
        "PYTHONWARNINGS": "ignore",
        # Else it and all that it starts would run a file click.py of the folder in which somebody types the command.
        "PYTHONSAFEPATH": "1",
    }
    command = ["-m", "dagster", "dev", "-w", str(WORKSPACE), "-h", config.host, "-p", str(config.dagster_port)]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - ourselves, so that signals reach Dagster
