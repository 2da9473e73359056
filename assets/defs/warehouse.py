"""Group `warehouse`: the lake's days in ClickHouse, and the marts that dbt builds of them."""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from assets.warehouse.dbt import PROJECT, environment
from assets.warehouse.manifest import manifest
from infra.settings import settings

if TYPE_CHECKING:
    from assets.warehouse.load import Loaded

OWNER = "team:data"
DAYS = dg.DailyPartitionsDefinition("2021-01-01", end_offset=1)
TABLES = ("candles", "trades", "gaps", "funding", "signals")
RETRIES = dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)


def _table(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=["warehouse", name],
        deps=[dg.AssetKey(["lake", name])],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="warehouse",
        kinds={"clickhouse"},
        owners=[OWNER],
        retry_policy=RETRIES,
        description=f"The lake's {name} of chosen days in ClickHouse, each row exactly once however often this runs.",
    )
    def table(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        from assets.warehouse.load import connect, load
        from ingestion.lake.reader import default_store

        window = context.partition_time_window
        config = settings()
        (done,) = load(connect(config), default_store(), [name], start=window.start, end=window.end)
        return _result(done)

    return table


def _result(done: "Loaded") -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows inserted": done.rows, "days that had changed": done.days})


class Names(DagsterDbtTranslator):
    """dbt's sources are the tables above; its models get their folder's name."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Name one model or source."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey(["warehouse", dbt_resource_props["name"]])
        return dg.AssetKey(["dbt", dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Put all models into one group."""
        return "warehouse"

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """Name who looks after a model."""
        return [OWNER]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Say what a model is, as its YAML does."""
        return str(dbt_resource_props.get("description") or dbt_resource_props["name"])

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> dg.AutomationCondition[Any] | None:
        """Build a model once what it reads is newer."""
        return dg.AutomationCondition.eager()


@dbt_assets(manifest=manifest(), dagster_dbt_translator=Names(), name="marts")
def marts(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Build models and run their tests; of a part of them only the tests that need no other model."""
    config = settings()
    os.environ.update({**environment(config), "DBT_TARGET_PATH": str(config.data_directory.absolute() / "dbt")})
    yield from dbt.cli(["build", "--indirect-selection", "cautious"], context=context).stream()


dbt = DbtCliResource(
    project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=str(Path(sys.executable).with_name("dbt"))
)
defs = dg.Definitions(
    assets=[*(_table(name) for name in TABLES), marts],
    resources={"dbt": dbt},
    sensors=[
        dg.AutomationConditionSensorDefinition(
            "marts_follow_their_tables",
            target=dg.AssetSelection.groups("warehouse"),
            default_status=dg.DefaultSensorStatus.RUNNING,
        )
    ],
    schedules=[
        dg.build_schedule_from_partitioned_job(
            dg.define_asset_job(
                "load_the_day",
                selection=dg.AssetSelection.assets(*(["warehouse", name] for name in TABLES)),
            ),
            minute_of_hour=15,
            hour_of_day=0,
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ],
)
