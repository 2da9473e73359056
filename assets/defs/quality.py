"""Group `quality`: checks of the lake's newest rows; one that fails blocks what is built on them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from infra import clock
from infra.settings import settings

if TYPE_CHECKING:
    from assets.quality.defects import Defect

DAYS = 2
"""How many days back a check looks: rows older than that do not change any more."""
SETTLED = 5 * clock.MINUTE
"""Newer rows may not be in the lake yet."""


@dg.asset_check(
    asset=["lake", "candles"], blocking=True, description="Candles keep every rule, and no gap is unexplained."
)
def candles_keep_the_rules() -> dg.AssetCheckResult:
    """Check the candles of the last two days."""
    from assets.quality.lake import candles_of

    return _result(*candles_of(clock.now() - DAYS * clock.DAY))


@dg.asset_check(asset=["lake", "trades"], blocking=True, description="Trades keep every rule.")
def trades_keep_the_rules() -> dg.AssetCheckResult:
    """Check the trades of the last hour."""
    from assets.quality.lake import trades_of

    return _result(*trades_of(clock.now() - clock.HOUR))


def _result(rows: int, defects: "Sequence[Defect]") -> dg.AssetCheckResult:
    table = "\n".join(f"| {defect.rule} | {defect.rows} | {defect.means} | {defect.first} |" for defect in defects)
    rules = dg.MetadataValue.md(f"| rule | rows | what holds | first |\n|---|---|---|---|\n{table}")
    return dg.AssetCheckResult(passed=not defects, metadata={"rows looked at": rows, "broken rules": rules})


@dg.asset(
    key=["quality", "parity"],
    deps=[dg.AssetKey(["lake", name]) for name in ("candles", "indicators", "signals")],
    group_name="quality",
    kinds={"numba", "polars"},
    owners=["team:quality"],
    check_specs=[dg.AssetCheckSpec("live_equals_replay", asset=["quality", "parity"], blocking=True)],
)
def parity_ledger(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads it
    """Replay the last day's raw tape: every candle, indicator and signal equals what was published live."""
    from assets.quality.parity import compare, recomputed

    config, until = settings(), clock.now() - SETTLED
    mine = recomputed(config.data_directory / "ingestion" / "tape", config)
    ledger = compare(mine, start=until - clock.DAY, end=until)
    wrong = [line for line in ledger if not line.equal]
    context.log.info("%s of %s series are equal", len(ledger) - len(wrong), len(ledger))
    rows = "\n".join(
        f"| {line.dataset} | {line.exchange}:{line.symbol}.{line.timeframe} | {line.missing} | "
        f"{', '.join(line.differing)} |"
        for line in wrong
    )
    differences = dg.MetadataValue.md(
        f"| dataset | series | rows missing | columns that differ |\n|---|---|---|---|\n{rows}"
    )
    counts = {"series": len(ledger), "rows": sum(line.rows for line in ledger), "series that differ": len(wrong)}
    check = dg.AssetCheckResult(passed=bool(ledger) and not wrong, check_name="live_equals_replay", metadata=counts)
    return dg.MaterializeResult(metadata={**counts, "differences": differences}, check_results=[check])


checks = dg.define_asset_job(
    "check_the_lake", selection=dg.AssetSelection.checks(candles_keep_the_rules, trades_keep_the_rules)
)
hourly = dg.ScheduleDefinition(job=checks, cron_schedule="7 * * * *", default_status=dg.DefaultScheduleStatus.RUNNING)
nightly = dg.ScheduleDefinition(
    name="replay_the_day",
    target=dg.AssetSelection.assets(["quality", "parity"]),
    cron_schedule="30 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
defs = dg.Definitions(
    assets=[parity_ledger],
    asset_checks=[candles_keep_the_rules, trades_keep_the_rules],
    jobs=[checks],
    schedules=[hourly, nightly],
)
