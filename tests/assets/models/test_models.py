from pathlib import Path

import numpy as np
import pytest
import skops.io
from mlflow.tracking import MlflowClient

from assets.backtests.history import History
from assets.models.dataset import columns, dataset, dataset_hash
from assets.models.gate import decide
from assets.models.names import MODEL
from assets.models.registry import hand_over, promote, register
from assets.models.training import CANDIDATES, Rows, logits, train
from infra.clock import HOUR
from infra.errors import InputError
from ingestion.market import Timeframe
from realtime.models import features, model_file

TOLD = {"inputs": list("abcd"), "features": "test", "timeframe": "1h", "horizon_bars": 24, "simulated": True}


def rows(edge: float, seed: int = 1, n: int = 2_400) -> Rows:
    noise = np.random.default_rng(seed)
    table = noise.normal(size=(n, 4))
    p = 1.0 / (1.0 + np.exp(-edge * table[:, 0]))
    starts = np.arange(n) * HOUR
    return Rows(table, (noise.random(n) < p).astype(float), np.ones(n), starts, starts + 5 * HOUR)


def history(bars: int = 1_500, missing: int | None = None) -> History:
    noise = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(noise.normal(0, 0.01, (2, bars)), axis=1))
    high, low = close * 1.004, close * 0.996
    table = np.stack([close, high, low, close, noise.random((2, bars)) + 1.0], axis=1)
    if missing is not None:
        table[:, :, missing] = np.nan
    at = np.arange(bars) * HOUR
    return History(("BTC-USDT", "ETH-USDT"), Timeframe.H1, at, table, 0, "noise", int(at[-1]) + HOUR)


@pytest.mark.parametrize("seed", range(2))
def test_noise_is_not_promoted(seed: int) -> None:
    assert not decide(train(rows(0.0, seed), 5 * HOUR), certified=True).promoted


def test_an_edge_is_promoted_and_only_with_a_certificate() -> None:
    trained = train(rows(0.8), 5 * HOUR)
    assert decide(trained, certified=True).promoted
    refused = decide(trained, certified=False)
    assert (refused.promoted, [reason.partition(":")[0] for reason in refused.reasons]) == (False, ["no", "yes", "yes"])


def test_what_is_calibrated_lies_on_the_diagonal_of_its_picture() -> None:
    trained = train(rows(0.8), 5 * HOUR)
    assert len(trained.reliability) == 10
    assert all(abs(probability - happened) < 0.1 for probability, happened in trained.reliability)
    assert trained.reliability[0][1] < trained.base_rate < trained.reliability[-1][1]


def test_the_same_data_make_the_same_model_file() -> None:
    first, second = (model_file.dump(train(rows(0.8), 5 * HOUR).model) for _ in range(2))
    assert model_file.digest(first) == model_file.digest(second)


def test_every_candidate_survives_its_file_bit_for_bit() -> None:
    data = rows(0.8, n=2_000)
    for make in CANDIDATES.values():
        model = make().fit(data.features, data.outcome)
        content = model_file.dump(model)
        read = model_file.load(content, model_file.digest(content))
        assert logits(read, data.features).tobytes() == logits(model, data.features).tobytes()


def test_one_flipped_bit_is_noticed_before_anything_is_read() -> None:
    content = model_file.dump({"weights": np.arange(9.0)})
    bad = bytearray(content)
    bad[len(bad) // 2] ^= 1
    with pytest.raises(InputError, match="not the one that was registered"):
        model_file.load(bytes(bad), model_file.digest(content))


def test_a_type_of_someone_else_is_not_built() -> None:
    content = skops.io.dumps({"a": model_file.InputError})
    with pytest.raises(InputError, match="not trusted"):
        model_file.load(content, model_file.digest(content))


@pytest.mark.parametrize("cut", [170, 171, 400, 777, 1_500])
def test_the_online_row_is_the_row_of_the_table_bit_for_bit(cut: int) -> None:
    every = columns(history(), 1)
    online = features.table({name: values[cut - features.LOOKBACK : cut] for name, values in every.items()})[-1]
    assert online.tobytes() == features.table(every)[cut - 1].tobytes()
    assert np.isfinite(online).all()


def test_a_missing_bar_makes_features_unknown_as_long_as_they_would_read_it() -> None:
    table = features.table(columns(history(missing=500), 1))
    day = list(features.FEATURES).index("volatility_24")
    assert np.flatnonzero(np.isnan(table[200:, day])).tolist() == list(range(300, 325))


def test_the_dataset_is_the_same_twice_and_knows_no_row_across_a_gap() -> None:
    complete, gap = dataset(history()), dataset(history(missing=800))
    assert dataset_hash(complete) == dataset_hash(dataset(history()))
    assert not ((gap.starts <= 800 * HOUR) & (gap.ends > 800 * HOUR + HOUR)).any()
    assert len(gap.outcome) < len(complete.outcome)


def test_only_what_the_gate_lets_through_becomes_champion_and_both_are_recorded(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for edge, aliases in ((0.8, {"challenger": "1", "champion": "1"}), (0.0, {"challenger": "2", "champion": "1"})):
        trained = train(rows(edge), 5 * HOUR)
        decision = decide(trained, certified=True)
        register(trained, decision, TOLD, uri, (tmp_path / "files").as_uri())
        assert promote(uri).promoted == decision.promoted
        assert hand_over(uri, tmp_path / "models" / "champion.json").version == "1"
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        versions = {name: str(version) for name, version in client.get_registered_model(MODEL).aliases.items()}
        assert versions == aliases, versions
        run = client.get_model_version_by_alias(MODEL, "challenger").run_id
        gains = [metric.value for metric in client.get_metric_history(run, f"fold_gain_{trained.name}")]
        assert gains == trained.gains[trained.name]
        assert client.list_artifacts(run, "plots")[0].path == "plots/calibration.svg"
    refused = client.get_model_version(MODEL, "2")
    assert (refused.tags["promoted"], "no: better than the base rate" in refused.tags["reasons"]) == ("False", True)
    champion = client.get_model_version_by_alias(MODEL, "champion")
    [content] = (tmp_path / "files").glob(f"{champion.run_id}/artifacts/model/model.skops")
    model_file.load(content.read_bytes(), champion.tags["sha256"])
    handed = model_file.champion(tmp_path / "models" / "champion.json")
    assert handed is not None
    assert (handed.run, handed.version, handed.sha256) == (champion.run_id, "1", champion.tags["sha256"])
    assert (handed.inputs, handed.feature_version, handed.simulated) == (("a", "b", "c", "d"), "test", True)
    assert (tmp_path / "models" / f"{handed.sha256}.skops").read_bytes() == content.read_bytes()
    client.set_registered_model_alias(MODEL, "champion", "2")  # a person's choice, in MLflow's page
    assert hand_over(uri, tmp_path / "models" / "champion.json").version == "2"


def test_an_empty_registry_has_no_champion_and_says_what_to_do_for_a_challenger(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert hand_over(uri, tmp_path / "champion.json") is None
    with pytest.raises(InputError, match="no challenger"):
        promote(uri)


def test_a_version_that_no_training_made_cannot_be_champion(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    run = client.create_run(client.create_experiment("mine", (tmp_path / "files").as_uri())).info.run_id
    client.create_registered_model(MODEL)
    client.create_model_version(MODEL, f"{client.get_run(run).info.artifact_uri}/model", run)
    client.set_registered_model_alias(MODEL, "champion", "1")
    with pytest.raises(InputError, match="version 1 comes from no training of ours"):
        hand_over(uri, tmp_path / "champion.json")
    assert not (tmp_path / "champion.json").exists()
