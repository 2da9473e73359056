"""MLflow: every training is a run with its model file, a version `challenger`, and the gate's decision on it."""

import json
import tempfile
from pathlib import Path

import httpx
import numpy as np
from mlflow.tracking import MlflowClient

from assets.models.dataset import HORIZON, TIMEFRAME
from assets.models.gate import Decision
from assets.models.training import FOLDS, Trained
from infra.clock import now
from infra.errors import UnavailableError
from infra.local import state
from infra.local.lock import holder
from infra.settings import Settings
from realtime import features, model_file
from realtime.model_file import Champion

MODEL = "hourly_barrier"
CHALLENGER, CHAMPION = "challenger", "champion"


def place(given: Settings) -> tuple[str, str | None]:
    """Return where MLflow is, and where its files are if that is no server: CAP_MLFLOW_URL, `cap up`'s, or SQLite.

    Raises UnavailableError when a server should answer and does not: better before a training than after it.
    """
    directory = given.data_directory.absolute()
    running = holder(directory) is not None and "mlflow" in state.read(directory).get("parts", {})
    if given.mlflow_url or running:
        try:
            httpx.get(f"{given.mlflow}/version", timeout=10.0, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            raise UnavailableError(f"MLflow at {given.mlflow} does not answer ({error}); see `cap doctor`") from error
        return given.mlflow, None
    folder = directory / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder}/mlflow.db", folder.as_uri()


def register(
    trained: Trained, decision: Decision, told: dict[str, str], inputs: list[str], uri: str, files: str | None
) -> tuple[str, str]:
    """Record a training in MLflow at `uri`, alias it, and promote it if the gate says so; return run and version.

    `files` is where a database without a server keeps model files (a URL); a server has its own place.
    `told` are further parameters: hash of the data, version of the features and such.
    """
    content = model_file.dump(trained.model)
    signature = {
        "inputs": [{"name": name, "type": "double"} for name in inputs],
        "output": "probability", "calibration": {"slope": trained.slope, "intercept": trained.intercept},
        "sha256": model_file.digest(content), **told,
    }  # fmt: skip
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    known = client.get_experiment_by_name(MODEL)
    experiment = known.experiment_id if known else client.create_experiment(MODEL, artifact_location=files)
    run = client.create_run(experiment).info.run_id
    for name, value in {**told, "model": trained.name, "folds": str(FOLDS)}.items():
        client.log_param(run, name, value)
    client.log_metric(run, "calibration_error", trained.calibration_error)
    for name, gains in trained.gains.items():
        client.log_metric(run, f"gain_{name}", float(np.mean(gains)))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.skops").write_bytes(content)
        Path(folder, "signature.json").write_text(json.dumps(signature, indent=1))
        client.log_artifacts(run, folder, "model")
    client.set_terminated(run)
    return run, _version(client, run, decision, signature["sha256"])


def _version(client: MlflowClient, run: str, decision: Decision, sha256: object) -> str:
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL)
    source = client.get_run(run).info.artifact_uri
    tags = {"sha256": str(sha256), "promoted": str(decision.promoted), "reasons": "; ".join(decision.reasons)}
    made = client.create_model_version(MODEL, f"{source}/model", run, tags=tags)
    version = str(made.version)
    client.set_registered_model_alias(MODEL, CHALLENGER, version)
    if decision.promoted:
        client.set_registered_model_alias(MODEL, CHAMPION, version)
    return version


def hand_over(path: Path, trained: Trained, run: str, version: str, *, simulated: bool) -> None:
    """Give the model to the live engine, which reads a folder and no registry."""
    content = model_file.dump(trained.model)
    told = Champion(
        name=MODEL, version=version, run=run, sha256=model_file.digest(content), feature_version=features.version(),
        inputs=tuple(features.FEATURES), slope=trained.slope, intercept=trained.intercept,
        base_rate=trained.base_rate, timeframe=str(TIMEFRAME), horizon_bars=HORIZON, promoted_at=now(),
        simulated=simulated,
    )  # fmt: skip
    model_file.hand_over(path, told, content)
