"""Group `features`: the offline feature table, of the same function as the live row, and held against it."""

from datetime import timedelta

import dagster as dg

from assets.lake_age import reaches_back
from infra import clock
from infra.settings import settings
from ingestion.market import Timeframe

HOURLY = dg.AssetKey(["features", "hourly"])
COMPLETE, ONLINE = "known_past_warmup", "online_row_equals_offline_row"
LEAST_DAYS = 8
"""A row looks back a week."""


@dg.asset(
    key=HOURLY,
    deps=[dg.AssetKey(["lake", "candles"])],
    group_name="features",
    kinds={"polars", "parquet"},
    owners=["team:models"],
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=2)),
    check_specs=[dg.AssetCheckSpec(name, asset=HOURLY, blocking=True) for name in (COMPLETE, ONLINE)],
)
def hourly() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads [None] as two outputs
    """Every symbol's features at every closed hour, each with the time at which it was known."""
    from assets.backtests.universe import history_of
    from assets.models import feature_table as table

    config = settings()
    history = history_of((), None, Timeframe.H1, config.exchanges[0], 0, clock.now())
    frame = table.feature_table(history)
    failures = {COMPLETE: table.unknown_past_warmup(frame, history), ONLINE: table.differs_online(frame, history)}
    place = table.feature_path(config).absolute()
    metadata = {
        "table": dg.MetadataValue.path(str(place)),
        "dagster/row_count": len(frame),
        "symbols": len(history.symbols),
        "version": frame[table.VERSION][0],
        "sha256": "not written: a check failed" if any(failures.values()) else table.write(place, frame),
        "newest rows": dg.MetadataValue.md(_preview(frame.tail(5).rows(named=True))),
    }
    return dg.MaterializeResult(
        metadata=metadata, check_results=[_checked(name, rows) for name, rows in failures.items()]
    )


def _checked(name: str, rows: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not rows, check_name=name, metadata={"rows that fail": len(rows), "first": rows[0] if rows else ""}
    )


def _preview(rows: list[dict[str, object]]) -> str:
    """Return rows as a table on its side: there are more features than fit beside each other."""
    lines = [[name, *(_cell(row[name]) for row in rows)] for name in rows[0]] if rows else []
    return "\n".join(f"| {' | '.join(line)} |" for line in [[""] * (len(rows) + 1), ["---"] * (len(rows) + 1), *lines])


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dg.schedule(
    target=dg.AssetSelection.assets(HOURLY), cron_schedule="25 0 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
def make_the_features() -> dg.RunRequest | dg.SkipReason:
    """Run once the lake holds more than a row looks back on."""
    if not reaches_back(LEAST_DAYS, Timeframe.H1):
        return dg.SkipReason(f"the lake has no candles that are {LEAST_DAYS} days old; try `cap import`")
    return dg.RunRequest()


defs = dg.Definitions(assets=[hourly], schedules=[make_the_features])
