"""Group `models`: features to challenger, challenger through the gate, the registry's champion to the live engine."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import httpx

from assets.lake_age import reaches_back
from assets.models import names
from infra import clock
from infra.settings import settings
from ingestion.market import Timeframe
from realtime.models.model_file import champion, champion_path

OWNER = "team:models"
CHALLENGER, GATE, CHAMPION = (dg.AssetKey(["models", name]) for name in ("challenger", "gate", "champion"))
LEAST_DAYS = 60
WEEKS = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8))


@dg.asset(
    key=CHALLENGER,
    deps=[dg.AssetKey(["features", "hourly"]), dg.AssetKey(["lake", "candles"])],
    group_name="models",
    kinds={"scikitlearn", "mlflow"},
    owners=[OWNER],
    freshness_policy=WEEKS,
)
def challenger() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads [None] as two outputs
    """Train on the feature table and triple-barrier labels; the best candidate is a new version in MLflow."""
    from assets.backtests.universe import history_of
    from assets.models.dataset import TIMEFRAME, dataset
    from assets.models.feature_table import every_on_grid, feature_path, read
    from assets.models.learning import learn
    from assets.models.registry import place, register

    config = settings()
    uri, files = place(config)
    history = history_of((), None, TIMEFRAME, config.exchanges[0], 0, clock.now())
    learned = learn(history, dataset(history, every_on_grid(read(feature_path(config)), history)))
    version = register(learned.trained, learned.decision, learned.parameters, uri, files)
    gains = "\n".join(
        f"| {name} | {' | '.join(f'{gain:+.4f}' for gain in folds)} |" for name, folds in learned.trained.gains.items()
    )
    folds = len(learned.trained.gains[learned.trained.name])
    return dg.MaterializeResult(
        metadata={
            "run": dg.MetadataValue.url(f"{config.mlflow}/#/experiments/{version.experiment}/runs/{version.run}"),
            "version": version.number,
            "model": learned.trained.name,
            "rows": learned.parameters["rows"],
            "dataset": learned.parameters["dataset"],
            "features": learned.parameters["features"],
            "calibration error": learned.trained.calibration_error,
            "gain over the base rate": dg.MetadataValue.md(
                f"| by fold |{' |' * folds}\n|{'---|' * (folds + 1)}\n{gains}"
            ),
        }
    )


@dg.asset(
    key=GATE,
    deps=[CHALLENGER, dg.AssetKey(["quality", "noninterference"])],
    group_name="models",
    kinds={"mlflow"},
    owners=[OWNER],
    freshness_policy=WEEKS,
)
def gate() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads [None] as two outputs
    """Make the challenger the registry's champion if it has a certificate, is calibrated and beats the base rate."""
    from assets.models.registry import place, promote

    judged = promote(place(settings())[0])
    reasons = "\n".join(f"- {reason}" for reason in judged.reasons)
    return dg.MaterializeResult(
        metadata={
            "promoted": judged.promoted,
            "version": judged.version,
            "reasons": dg.MetadataValue.md(reasons),
        }
    )


@dg.asset(
    key=CHAMPION,
    deps=[GATE],
    group_name="models",
    kinds={"mlflow"},
    owners=[OWNER],
    output_required=False,
    retry_policy=dg.RetryPolicy(max_retries=3, delay=10),
)
def champion_() -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # Dagster reads [None] as two outputs
    """Hand the registry's champion to the live engine, as a file and the word of it; nothing while there is none."""
    from assets.models.registry import hand_over, place

    config = settings()
    path = champion_path(config).absolute()
    current = hand_over(place(config)[0], path)
    if current is not None:
        yield dg.MaterializeResult(
            metadata={
                "version": current.version,
                "sha256": current.sha256,
                "features": current.feature_version,
                "promoted at": dg.MetadataValue.timestamp(current.promoted_at / clock.SECOND),
                "simulated": current.simulated,
                "handed over as": dg.MetadataValue.path(str(path)),
            }
        )


@dg.sensor(
    target=dg.AssetSelection.assets(CHAMPION),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def champion_follows_the_alias(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Hand over what somebody made champion in MLflow, by the gate or by hand: a roll-back is one click."""
    config = settings()
    query = {"name": names.MODEL, "alias": names.CHAMPION}
    url = f"{config.mlflow}/api/2.0/mlflow/registered-models/alias"
    try:
        answer = httpx.get(url, params=query, timeout=10.0, trust_env=False)
    except httpx.HTTPError as error:
        return dg.SkipReason(f"MLflow at {config.mlflow} does not answer: {error}")
    if answer.status_code != httpx.codes.OK:
        return dg.SkipReason("there is no champion in MLflow yet")
    version, current = answer.json()["model_version"], champion(champion_path(config))
    named = f"{version['version']} {version['run_id']}"
    if named == context.cursor or (current and named == f"{current.version} {current.run}"):
        return dg.SensorResult(skip_reason="the champion is the one that was handed over", cursor=named)
    return dg.SensorResult(run_requests=[dg.RunRequest()], cursor=named)


@dg.schedule(
    job=dg.define_asset_job(
        "train_the_model", dg.AssetSelection.groups("features", "models"), executor_def=dg.in_process_executor
    ),
    cron_schedule="0 2 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def train_every_week() -> dg.RunRequest | dg.SkipReason:
    """Train once the lake holds enough to learn from."""
    if not reaches_back(LEAST_DAYS, Timeframe.H1):
        return dg.SkipReason(f"the lake has no candles that are {LEAST_DAYS} days old; try `cap import`")
    return dg.RunRequest()


defs = dg.Definitions(
    assets=[challenger, gate, champion_], sensors=[champion_follows_the_alias], schedules=[train_every_week]
)
