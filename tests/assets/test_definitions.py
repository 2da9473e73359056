"""The code location: what Dagster finds in it, held against a file, without any server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from assets.definitions import defs
from assets.defs import backtests, quality
from assets.defs import lake as group
from infra import clock
from infra.clock import DAY, MINUTE
from ingestion.lake.datasets import CANDLES
from ingestion.lake.rows import candle_frame
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake, append
from ingestion.market import CANDLE
from realtime.strategies import names

GRAPH = Path(__file__).parent / "graph.json"


LISTED = ("backtests", "dbt")
"""Assets found by listing a folder: the snapshot holds the shapes they have, and a new file has one of these."""


def rule(key: dg.AssetKey) -> str:
    """Return an asset's name, or what stands for all of its kind."""
    return f"{key.path[0]}/*" if key.path[0] in LISTED else key.to_user_string()


def graph(definitions: dg.Definitions = defs) -> dict[str, list[dict[str, object]]]:
    shapes: dict[str, list[dict[str, object]]] = {}
    for spec in definitions.resolve_all_asset_specs():
        shape = {
            "group": spec.group_name,
            "deps": sorted({rule(dep.asset_key) for dep in spec.deps}),
            "kinds": sorted(spec.kinds),
            "owners": list(spec.owners),
        }
        if shape not in shapes.setdefault(rule(spec.key), []):
            shapes[rule(spec.key)].append(shape)
    return {name: sorted(shapes[name], key=json.dumps) for name in sorted(shapes)}


def test_the_asset_graph_is_the_one_that_was_agreed_on() -> None:
    """After a wanted change: `python -m tests.assets.test_definitions` writes the file anew."""
    assert graph() == json.loads(GRAPH.read_text())


def test_a_new_strategy_is_an_asset_and_leaves_the_agreed_graph_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "strategies"
    shutil.copytree(backtests.FOLDER, folder)
    (folder / "breakout.py").write_text('"""Long above the last high."""\n')
    definitions = dg.Definitions(assets=backtests.of_strategies(folder))
    specs = [spec for spec in definitions.resolve_all_asset_specs() if spec.group_name == "backtests"]
    descriptions = {spec.key.path[-1]: spec.description for spec in specs}
    assert descriptions["breakout"] == "Long above the last high."
    assert set(descriptions) == {*names(), "breakout"}
    assert graph(definitions)["backtests/*"] == json.loads(GRAPH.read_text())["backtests/*"]


def test_everything_can_be_loaded_and_every_job_and_schedule_resolves() -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_says_what_it_is_and_whose() -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key


def test_dagster_loads_the_graph_without_what_only_runs_need() -> None:
    program = (
        "import sys, assets.definitions; print(*{'numba', 'pandas', 'sklearn', 'mlflow', 'plotly'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.split() == []


def add(lake: Lake, minutes: int, upto: int, since: int, begin: int = 19_400 * DAY) -> None:
    rows = np.zeros(minutes, CANDLE)
    rows["opened_at"] = begin + (since + np.arange(minutes)) * MINUTE
    rows["known_at"] = rows["opened_at"] + MINUTE
    rows["open"] = rows["high"] = rows["low"] = rows["close"] = 100
    frame = candle_frame(["binance"] * minutes, ["BTC-USDT"] * minutes, ["1m"] * minutes, rows)
    append(lake, CANDLES, frame, {"market-ohlcv:0": upto}, {"market-ohlcv:0": since})


def test_the_sensor_reports_each_new_version_of_a_dataset_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(Local(tmp_path / "lake"))
    monkeypatch.setattr("assets.lake_versions.default_store", lambda: lake.store)
    assert isinstance(group.lake_versions(dg.build_sensor_context()), dg.SkipReason)
    add(lake, 10, 10, 0)
    first = group.lake_versions(dg.build_sensor_context())
    assert isinstance(first, dg.SensorResult)
    (event,) = first.asset_events
    assert event.asset_key == dg.AssetKey(["lake", "candles"])
    assert (event.metadata["dagster/row_count"].value, event.metadata["first day"].value) == (10, "2023-02-12")
    again = group.lake_versions(dg.build_sensor_context(cursor=first.cursor))
    assert isinstance(again, dg.SkipReason)
    add(lake, 5, 15, 10)
    third = group.lake_versions(dg.build_sensor_context(cursor=first.cursor))
    assert isinstance(third, dg.SensorResult)
    assert third.asset_events[0].metadata["dagster/row_count"].value == 15


def test_checks_block_a_lake_with_a_defect_and_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(Local(tmp_path / "lake"))
    monkeypatch.setattr("ingestion.lake.reader.default_store", lambda: lake.store)
    minute = clock.now() // MINUTE * MINUTE - 30 * MINUTE
    add(lake, 10, 10, 0, begin=minute)
    passed = quality.candles_keep_the_rules()
    assert passed.passed, passed.metadata
    assert passed.metadata["rows looked at"].value == 10
    add(lake, 10, 20, 10, begin=minute + 5 * MINUTE)  # five minutes are missing, and nobody says why
    failed = quality.candles_keep_the_rules()
    assert not failed.passed
    assert "every stretch without candles has a gap on record" in str(failed.metadata["broken rules"].value)
    assert quality.trades_keep_the_rules().passed  # nothing there


if __name__ == "__main__":
    GRAPH.write_text(json.dumps(graph(), indent=2) + "\n")
