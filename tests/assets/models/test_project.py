"""`mlflow/`: the project runs with MLflow's own launcher, and its folder hides no library."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from assets.models.names import MODEL
from assets.models.parameters import Parameters, read
from infra.errors import InputError

ROOT = Path(__file__).parents[3]


def test_the_folder_does_not_hide_the_library() -> None:
    command = [sys.executable, "-W", "ignore", "-c", "import mlflow; print(mlflow.__file__)"]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "site-packages" in result.stdout
    assert not list((ROOT / "mlflow").rglob("*.py"))


@pytest.mark.slow  # 27 s: MLflow's own start, twice
def test_mlflow_runs_the_project_and_its_training_is_on_record(tmp_path: Path) -> None:
    at = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(2_000)]
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, len(at))))
    prices = {"open": close, "high": close * 1.004, "low": close * 0.996, "close": close, "volume": close}
    pl.DataFrame({"opened_at": at, **prices}).write_parquet(tmp_path / "bitcoin.parquet")
    (tmp_path / "short.yaml").write_text("symbols: [BTC-USDT]\ncandles: bitcoin.parquet\nto: 2023-03-20\n")
    variables = {
        "CAP_DATA_DIRECTORY": str(tmp_path),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/runs.db",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    parameter = f"parameters={tmp_path}/short.yaml"
    command = ["mlflow", "run", str(ROOT / "mlflow"), "--env-manager", "local", "-P", parameter]
    subprocess.run(command, check=True, env={**os.environ, **variables}, cwd=tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = client.get_model_version_by_alias(MODEL, "challenger")
    params = client.get_run(version.run_id).data.params
    assert (params["symbols"], params["source"]) == ("['BTC-USDT']", "bitcoin.parquet")


def test_the_file_of_the_project_says_only_what_is_known() -> None:
    parameters = read(ROOT / "mlflow" / "hourly_barrier.yaml")
    assert (parameters.exchange, parameters.candles) == ("binance", None)
    assert read(None) == Parameters()


@pytest.mark.parametrize("wrong", ["symbol: [BTC-USDT]", "from: yesterday", "[", "symbols: BTC-USDT"])
def test_a_wrong_file_of_parameters_is_named(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "wrong.yaml").write_text(wrong)
    with pytest.raises(InputError, match=r"wrong\.yaml cannot be read"):
        read(tmp_path / "wrong.yaml")
