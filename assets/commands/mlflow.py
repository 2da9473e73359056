"""`cap mlflow`: MLflow's tracking server, registry and page, with its storage in PostgreSQL."""

import os
import sys

from assets.database import database
from assets.models.server import environment
from assets.models.server_tables import prepare
from infra.settings import settings

DATABASE = "mlflow"


def mlflow() -> None:
    """Open the MLflow page: experiments, runs, registered models, champion and challenger (http://127.0.0.1:5001).

    Runs and versions are kept in the database `mlflow` of CAP_POSTGRES_URL, model files in CAP_DATA_DIRECTORY/mlflow.
    """
    config = settings()
    url = database(config.postgres, DATABASE, "psycopg2")
    prepare(url)
    files = (config.data_directory / "mlflow" / "artifacts").absolute()
    files.mkdir(parents=True, exist_ok=True)
    os.environ |= environment(config, url, files)
    command = ["-P", "-W", "ignore", "-m", "assets.models.server", config.mlflow_host, str(config.mlflow_port)]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606  # nosec B606 - ourselves, no shell
