"""Dagster's own storage, as `cap dagster` configures it, on a real PostgreSQL."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import httpx
import pytest
import yaml

from assets.commands.dagster import INSTANCE
from assets.database import database
from infra.errors import UnavailableError
from tests.conftest import eventually, free_port


@pytest.mark.filterwarnings("ignore")  # Dagster and SQLAlchemy on their own ways
def test_an_event_reported_to_the_storage_is_there_for_the_next_process(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{postgres_server}/cap?application_name=cap"
    url = database(place, "dagster", "psycopg2")
    assert url.startswith("postgresql+psycopg2://")
    assert url.endswith("/dagster?application_name=cap")
    assert database(place, "dagster", "psycopg2") == url  # it is there already
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", url)
    (tmp_path / "dagster.yaml").write_bytes(INSTANCE)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization(["lake", "candles"], metadata={"version": 7}))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["lake", "candles"]))
        assert event is not None
        assert event.asset_materialization is not None
        assert event.asset_materialization.metadata["version"].value == 7


def test_the_instance_is_yaml_and_sends_nothing_home() -> None:
    assert yaml.safe_load(INSTANCE)["telemetry"] == {"enabled": False}


def test_without_postgresql_it_says_so() -> None:
    with pytest.raises(UnavailableError, match="dagster needs PostgreSQL"):
        database("postgresql://cap@127.0.0.1:1/cap", "dagster", "psycopg2")


@pytest.mark.slow  # all of Dagster: 40 s of CPU
def test_a_file_in_the_working_directory_is_not_run_in_place_of_a_library(postgres_server: str, tmp_path: Path) -> None:
    for name in ("click", "yaml", "grpc"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write({name!r})\n")
    port = free_port()
    settings = {
        "CAP_DATA_DIRECTORY": str(tmp_path / "data"),
        "CAP_POSTGRES_URL": f"{postgres_server}/cap",
        "CAP_DAGSTER_PORT": str(port),
    }
    command = [sys.executable, "-P", "-m", "infra.cli", "dagster"]
    with (tmp_path / "dagster.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **settings}, stdout=log, stderr=log)
    try:
        page = f"http://127.0.0.1:{port}/server_info"
        eventually(lambda: httpx.get(page).status_code == 200, 150, httpx.HTTPError)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
    assert not (tmp_path / "executed").exists()
