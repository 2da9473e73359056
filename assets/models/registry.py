"""MLflow: a training is a run with its model file and a version: `challenger`, and if the gate agrees `champion`."""

import json
import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from mlflow.tracking import MlflowClient

from assets.models.gate import Decision
from assets.models.names import CHALLENGER, CHAMPION, MODEL
from assets.models.plots import calibration
from assets.models.training import FOLDS, Trained
from infra.clock import now
from infra.errors import InputError, UnavailableError
from infra.local import state
from infra.local.data_directory import platform_pid
from infra.settings import Settings
from realtime.models import model_file
from realtime.models.model_file import Champion

os.environ |= {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
logging.getLogger("mlflow").setLevel(logging.WARNING)  # a training says what it did in its own words


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate said of a version."""

    version: str
    promoted: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the model in the registry, and its run."""

    number: str
    experiment: str
    run: str


def place(config: Settings) -> tuple[str, str | None]:
    """Return where MLflow is, and where its files are if that is no server: CAP_MLFLOW_URL, `cap up`'s, or SQLite.

    Raises UnavailableError when a server should answer and does not: better before a training than after it.
    """
    directory = config.data_directory.absolute()
    running = platform_pid(directory) is not None and "mlflow" in state.read(directory).get("parts", {})
    if config.mlflow_url or running:
        try:
            httpx.get(f"{config.mlflow}/version", timeout=10.0, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            raise UnavailableError(f"MLflow at {config.mlflow} does not answer ({error}); see `cap doctor`") from error
        return config.mlflow, None
    folder = directory / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder}/mlflow.db", folder.as_uri()


def register(trained: Trained, decision: Decision, parameters: dict[str, Any], uri: str, files: str | None) -> Version:
    """Record a training in MLflow at `uri` as the challenger, with what the gate says of it.

    `files` is where a database without a server keeps model files (a URL); a server has its own place.
    `parameters` are further parameters: inputs, hash of the data, version of the features and such.
    """
    content = model_file.dump(trained.model)
    signature = {
        **parameters,
        "output": "probability",
        "sha256": model_file.digest(content),
        "slope": trained.slope,
        "intercept": trained.intercept,
        "base_rate": trained.base_rate,
    }
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    known = client.get_experiment_by_name(MODEL)
    experiment = known.experiment_id if known else client.create_experiment(MODEL, artifact_location=files)
    run = client.create_run(experiment).info.run_id
    for name, value in {**parameters, "model": trained.name, "folds": FOLDS}.items():
        client.log_param(run, name, value)
    client.log_metric(run, "calibration_error", trained.calibration_error)
    for name, gains in trained.gains.items():
        client.log_metric(run, f"gain_{name}", float(np.mean(gains)))
        for fold, gain in enumerate(gains):
            client.log_metric(run, f"fold_gain_{name}", gain, step=fold)
    client.log_text(run, calibration(trained.reliability), "plots/calibration.svg")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.skops").write_bytes(content)
        Path(folder, "signature.json").write_text(json.dumps(signature, indent=1))
        client.log_artifacts(run, folder, "model")
    client.set_terminated(run)
    return Version(_version(client, run, decision, signature["sha256"]), experiment, run)


def _version(client: MlflowClient, run: str, decision: Decision, sha256: object) -> str:
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL)
    source = client.get_run(run).info.artifact_uri
    tags = {"sha256": str(sha256), "promoted": str(decision.promoted), "reasons": "; ".join(decision.reasons)}
    version = str(client.create_model_version(MODEL, f"{source}/model", run, tags=tags).version)
    client.set_registered_model_alias(MODEL, CHALLENGER, version)
    return version


def promote(uri: str) -> Judged:
    """Make the challenger champion if the gate said yes of it; return what it said. Raises InputError without one."""
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    challenger = _version_of(client, CHALLENGER)
    if challenger is None:
        raise InputError(
            f"{MODEL} has no challenger at {uri}; train one: `cap train`, or materialize models/challenger"
        )
    reasons = tuple(challenger.tags["reasons"].split("; "))
    judged = Judged(str(challenger.version), challenger.tags["promoted"] == "True", reasons)
    if judged.promoted:
        client.set_registered_model_alias(MODEL, CHAMPION, str(challenger.version))
    return judged


def _version_of(client: MlflowClient, alias: str) -> Any:
    known = client.search_registered_models(f"name = '{MODEL}'")
    return client.get_model_version_by_alias(MODEL, alias) if known and alias in known[0].aliases else None


def hand_over(uri: str, path: Path) -> Champion | None:
    """Give the registry's champion to the live engine, which reads a folder and no registry.

    Return what it is told, None while the registry has no champion. Raises InputError when the registry's file is not
    the one that was registered.
    """
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = _version_of(client, CHAMPION)
    if version is None:
        return None
    current, run = model_file.champion(path), str(version.run_id)
    if current and (current.run, current.version) == (run, str(version.version)):
        return current
    if "sha256" not in version.tags:
        raise InputError(f"{MODEL} version {version.version} comes from no training of ours and cannot be champion")
    with tempfile.TemporaryDirectory() as folder:
        model_folder = Path(client.download_artifacts(run, "model", folder))
        content, signature = (
            (model_folder / "model.skops").read_bytes(),
            json.loads((model_folder / "signature.json").read_text()),
        )
    if model_file.digest(content) != version.tags["sha256"]:
        raise InputError(f"the file of {MODEL} version {version.version} is not the one that was registered")
    champion = Champion(
        name=MODEL,
        version=str(version.version),
        run=run,
        sha256=version.tags["sha256"],
        feature_version=signature["features"],
        inputs=tuple(signature["inputs"]),
        slope=signature["slope"],
        intercept=signature["intercept"],
        base_rate=signature["base_rate"],
        timeframe=signature["timeframe"],
        horizon_bars=signature["horizon_bars"],
        promoted_at=now(),
        simulated=signature["simulated"],
    )
    model_file.hand_over(path, champion, content)
    return champion
