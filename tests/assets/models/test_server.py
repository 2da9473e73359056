"""`cap mlflow`, the real process on a real PostgreSQL: what a training records outlives the server."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import psycopg
import pytest
from mlflow.server import constants
from mlflow.tracking import MlflowClient

from assets.defs.models import champion_follows_the_alias
from assets.models.names import MODEL
from assets.models.registry import place
from assets.models.server import environment
from infra.errors import UnavailableError
from infra.local import data_directory, state
from infra.settings import Settings
from tests.conftest import eventually, free_port


@contextlib.contextmanager
def server(postgres: str, directory: Path) -> Iterator[str]:
    port = free_port()
    variables = {"CAP_POSTGRES_URL": postgres, "CAP_DATA_DIRECTORY": str(directory), "CAP_MLFLOW_PORT": str(port)}
    command = [sys.executable, "-P", "-m", "infra.cli", "mlflow"]
    with (directory / "mlflow.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **variables})
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: httpx.get(f"{url}/version").text, 120, httpx.TransportError)
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow  # 21 s: two starts of MLflow
def test_a_model_registered_with_a_server_that_is_then_killed_is_there_in_the_next(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_of = f"{postgres_server}/cap"
    with server(place_of, tmp_path) as url:
        client = MlflowClient(tracking_uri=url, registry_uri=url)
        run = client.create_run(client.create_experiment(MODEL)).info.run_id
        (tmp_path / "model.skops").write_bytes(b"the model")
        client.log_artifact(run, str(tmp_path / "model.skops"), "model")
        client.create_registered_model(MODEL)
        client.create_model_version(MODEL, f"{client.get_run(run).info.artifact_uri}/model", run)
        client.set_registered_model_alias(MODEL, "champion", "1")
        strangers = httpx.get(url, headers={"Host": "evil.example"})
        assert (httpx.get(url).status_code, strangers.status_code) == (200, 403)
    with server(place_of, tmp_path) as url:
        client = MlflowClient(tracking_uri=url, registry_uri=url)
        assert client.get_model_version_by_alias(MODEL, "champion").run_id == run
        file = client.download_artifacts(run, "model/model.skops", str(tmp_path))
        assert Path(file).read_bytes() == b"the model"
        config = Settings(data_directory=tmp_path, mlflow_url=url)
        monkeypatch.setattr("assets.defs.models.settings", lambda: config)
        first = champion_follows_the_alias(dg.build_sensor_context())
        assert isinstance(first, dg.SensorResult)
        assert (len(first.run_requests or ()), first.cursor) == (1, f"1 {run}")
        again = champion_follows_the_alias(dg.build_sensor_context(cursor=first.cursor))
        assert isinstance(again, dg.SensorResult)
        assert not again.run_requests
    assert isinstance(champion_follows_the_alias(dg.build_sensor_context()), dg.SkipReason)
    with psycopg.connect(f"{postgres_server}/mlflow") as connection:
        assert connection.execute("select run_uuid from runs").fetchall() == [(run,)]
    assert [path.read_bytes() for path in tmp_path.glob("mlflow/artifacts/**/model.skops")] == [b"the model"]


def test_what_the_server_is_told_are_names_that_this_version_of_mlflow_reads() -> None:
    read = {value for name, value in vars(constants).items() if name.endswith("ENV_VAR")}
    variables = environment(Settings(mlflow_url="http://mlflow:5001"), "postgresql+psycopg2://", Path("/files"))
    assert {name for name in variables if name.startswith("_")} <= read


def test_trainings_go_to_the_server_of_the_running_platform_and_into_a_file_without_one(tmp_path: Path) -> None:
    config = Settings(data_directory=tmp_path, mlflow_port=free_port())
    assert place(config) == (f"sqlite:///{tmp_path}/mlflow/mlflow.db", (tmp_path / "mlflow").as_uri())
    with data_directory.take(tmp_path):
        (tmp_path / state.FILE).write_text('{"parts": {"mlflow": {}}}')
        with pytest.raises(UnavailableError, match=f"{config.mlflow} does not answer"):
            place(config)
