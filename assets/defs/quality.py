"""Group `quality`: checks of the lake's newest rows; one that fails blocks what is built on them."""

from collections.abc import Sequence

import dagster as dg

from assets.quality.defects import Defect
from assets.quality.lake import candles_of, trades_of
from infra import clock

DAYS = 2
"""How many days back a check looks: rows older than that do not change any more."""


@dg.asset_check(
    asset=["lake", "candles"], blocking=True, description="Candles keep every rule, and no gap is unexplained."
)
def candles_keep_the_rules() -> dg.AssetCheckResult:
    """Check the newest candles."""
    return _result(*candles_of(clock.now() - DAYS * clock.DAY))


@dg.asset_check(asset=["lake", "trades"], blocking=True, description="Trades keep every rule.")
def trades_keep_the_rules() -> dg.AssetCheckResult:
    """Check the newest trades."""
    return _result(*trades_of(clock.now() - clock.HOUR))


def _result(rows: int, found: Sequence[Defect]) -> dg.AssetCheckResult:
    table = "\n".join(f"| {one.rule} | {one.rows} | {one.means} | {one.first} |" for one in found)
    told = dg.MetadataValue.md(f"| rule | rows | what holds | first |\n|---|---|---|---|\n{table}")
    return dg.AssetCheckResult(passed=not found, metadata={"rows looked at": rows, "broken rules": told})


checks = dg.define_asset_job("check_the_lake", selection=dg.AssetSelection.all_asset_checks())
hourly = dg.ScheduleDefinition(job=checks, cron_schedule="7 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
defs = dg.Definitions(asset_checks=[candles_keep_the_rules, trades_keep_the_rules], jobs=[checks], schedules=[hourly])
