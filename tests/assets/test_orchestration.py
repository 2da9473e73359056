"""Dagster's own storage, as `cap dagster` configures it, on a real PostgreSQL."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets.commands.dagster import INSTANCE
from assets.database import database
from infra.errors import UnavailableError


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
