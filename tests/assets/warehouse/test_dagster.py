"""Dagster's own execution: a partition of the lake into ClickHouse, then the marts, then the same once more."""

import dagster as dg
import pytest

from assets.definitions import defs
from ingestion.lake.datasets import CANDLES
from ingestion.lake.writer import append

pytestmark = pytest.mark.filterwarnings("ignore")  # Dagster and dbt on their own ways


def test_a_day_goes_from_the_lake_to_the_marts_and_a_second_run_adds_nothing(
    config, client, lake, make_hours, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(lake, CANDLES, make_hours("BTC-USDT", 30), {"market-ohlcv:0": 1}, {"market-ohlcv:0": 0})
    monkeypatch.setattr("assets.defs.warehouse.settings", lambda: config)
    monkeypatch.setattr("ingestion.lake.reader.default_store", lambda: lake.store)
    graph = defs.get_repository_def().assets_defs_by_key
    table, marts = graph[dg.AssetKey(["warehouse", "candles"])], graph[dg.AssetKey(["dbt", "returns_daily"])]
    inserted = []
    for _ in range(2):
        done = dg.materialize([table], partition_key="2023-02-12")
        assert done.success
        (event,) = done.asset_materializations_for_node("warehouse__candles")
        inserted.append(event.metadata["rows inserted"].value)
    assert inserted == [24, 0]
    for name in ("trades", "gaps", "funding", "signals"):
        assert client.query(f"SELECT count() FROM lake.{name}").first_row == (0,)
    selection = dg.AssetSelection.assets(dg.AssetKey(["dbt", "candles"])).upstream() & dg.AssetSelection.assets(marts)
    assert dg.materialize([marts], selection=selection).success
    assert client.query("SELECT count() FROM warehouse.candles").first_row == (24,)
    assert list((config.data_directory / "dbt").glob("marts*")), (
        "dbt writes into the data directory, not into its project"
    )
