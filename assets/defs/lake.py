"""Group `lake`: the datasets that `cap lake` and `cap import` write, and a sensor that reports each new version."""

import dagster as dg

from assets.lake_versions import Version, versions

OWNER = "team:data"
DATASETS = {
    "trades": "Every trade of every exchange, exactly once, with the time at which it could be known.",
    "candles": "Candles of each exchange and the composite, six timeframes, all revisions.",
    "indicators": "What the live engine published for each closed bar, one column an indicator output.",
    "signals": "Scored signals as they were published, with reasons and the hashes of their candles.",
    "funding": "Funding rates of perpetuals.",
    "gaps": "Trades that are known to be missing, healed or lost.",
}
EACH_SECONDS = 30

trades = dg.AssetKey(["lake", "trades"])
specs = [
    dg.AssetSpec(
        ["lake", name],
        deps=[] if name == "trades" else [trades],
        description=text,
        group_name="lake",
        kinds={"parquet", "polars"},
        owners=[OWNER],
        metadata={"read": f'ingestion.lake.read("{name}")', "sql": f"cap sql 'from {name} limit 10'"},
    )
    for name, text in DATASETS.items()
]


@dg.sensor(minimum_interval_seconds=EACH_SECONDS, default_status=dg.DefaultSensorStatus.RUNNING)
def lake_versions(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Record a materialization of each dataset whose manifest has changed since the last look."""
    current = versions(list(DATASETS))
    cursor = "\n".join(f"{version.dataset} {version.version}" for version in current)
    if cursor == (context.cursor or ""):
        return dg.SkipReason("no dataset of the lake has a new version")
    before = dict(line.split() for line in (context.cursor or "").splitlines())
    fresh = [version for version in current if before.get(version.dataset) != str(version.version)]
    return dg.SensorResult(asset_events=[_materialization(version) for version in fresh], cursor=cursor)


def _materialization(version: Version) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        ["lake", version.dataset],
        metadata={
            "dagster/row_count": version.rows,
            "files": version.files,
            "bytes": version.bytes,
            "version": version.version,
            "content": version.content,
            "first day": version.first_day,
            "last day": version.last_day,
        },
    )


defs = dg.Definitions(assets=specs, sensors=[lake_versions])
