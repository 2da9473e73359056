"""Groups `features`, `models` and `backtests`, run by Dagster from a real lake to the champion's file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.backtests.history import from_lake
from assets.defs import backtests, features, models
from assets.models import feature_table as offline
from assets.models.dataset import dataset, dataset_hash
from infra import clock
from infra.cli import build
from infra.errors import InputError
from infra.settings import settings
from ingestion.market import Timeframe
from realtime.models import model_file
from realtime.models.features import FEATURES, LOOKBACK

pytestmark = pytest.mark.filterwarnings("ignore")  # Dagster, MLflow and SQLAlchemy on their own ways
BARS = 2_600


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def candles(drift: float, symbol: str, seed: int) -> pl.DataFrame:
    """Hourly candles whose trend lasts for days: what went up goes on, as long as `drift` is above 0."""
    noise = np.random.default_rng(seed)
    trend, wind = np.zeros(BARS), noise.normal(0.0, 0.1, BARS)
    for bar in range(1, BARS):
        trend[bar] = 0.995 * trend[bar - 1] + wind[bar]
    close = 100.0 * np.exp(np.cumsum(noise.normal(0.0, 0.004, BARS) + drift * trend))
    at = [datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=bar) for bar in range(BARS)]
    opened = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    prices = {"open": opened, "high": high, "low": low, "close": close}
    table = {name: np.round(values, 6) for name, values in prices.items()}
    return pl.DataFrame(
        {"symbol": symbol, "opened_at": at, **table, "volume": np.round(1e4 * noise.random(BARS) + 1, 3)}
    )


def fill(drift: float) -> None:
    pl.concat([candles(drift, "BTCUSDT", 1), candles(drift, "ETHUSDT", 2)]).write_parquet("two.parquet")
    line = ["import", "two.parquet", "--exchange", "binance"]
    build(line)(line, standalone_mode=False)


def materialized(done: dg.ExecuteInProcessResult) -> dict[str, dict[str, object]]:
    events = [event.materialization for event in done.get_asset_materialization_events()]
    return {event.asset_key.to_user_string(): {name: v.value for name, v in event.metadata.items()} for event in events}


def test_trades_that_trend_make_a_champion_and_the_engine_finds_its_file() -> None:
    fill(drift=0.002)
    everything = [features.hourly, models.challenger, models.gate, models.champion_]
    done = dg.materialize(everything)
    metadata = materialized(done)
    assert list(metadata) == ["features/hourly", "models/challenger", "models/gate", "models/champion"]
    assert all(check.passed for check in done.get_asset_check_evaluations())
    assert metadata["features/hourly"]["dagster/row_count"] == 2 * BARS
    assert metadata["models/gate"]["promoted"] is True, metadata["models/gate"]["reasons"]
    path = model_file.champion_path(settings())
    champion = model_file.champion(path)
    assert champion is not None
    assert (champion.version, champion.sha256) == ("1", metadata["models/champion"]["sha256"])
    assert champion.inputs == tuple(FEATURES)
    content = path.with_name(f"{champion.sha256}.skops").read_bytes()
    assert model_file.load(content, champion.sha256).n_features_in_ == len(FEATURES)
    again = materialized(dg.materialize([models.champion_]))
    assert again["models/champion"] == metadata["models/champion"]  # the same champion is not handed over twice


@pytest.mark.slow  # 32 s: the gate itself is tested in test_models.py
def test_noise_makes_a_challenger_and_nobody_champion() -> None:
    fill(drift=0.0)
    done = dg.materialize([features.hourly, models.challenger, models.gate, models.champion_])
    metadata = materialized(done)
    assert done.success
    assert list(metadata) == ["features/hourly", "models/challenger", "models/gate"]
    assert metadata["models/gate"]["promoted"] is False
    assert "no: better than the base rate" in str(metadata["models/gate"]["reasons"])
    assert not model_file.champion_path(settings()).exists()


def test_what_is_learned_from_the_table_is_what_is_learned_from_the_candles() -> None:
    fill(drift=0.0)
    dg.materialize([features.hourly])
    history = from_lake(["BTC-USDT", "ETH-USDT"], Timeframe.H1, "binance", 0, clock.now())
    table = offline.read(offline.feature_path(settings()))
    from_table, from_candles = dataset(history, offline.every_on_grid(table, history)), dataset(history)
    assert dataset_hash(from_table) == dataset_hash(from_candles)
    assert len(from_candles.outcome) > BARS


def test_a_hole_and_a_flipped_bit_in_the_table_are_named() -> None:
    fill(drift=0.0)
    history = from_lake(["BTC-USDT", "ETH-USDT"], Timeframe.H1, "binance", 0, clock.now())
    table = offline.feature_table(history)
    assert (offline.unknown_past_warmup(table, history), offline.differs_online(table, history)) == ([], [])
    at = int(history.opened_at[-2])
    here = (pl.col("symbol") == "ETH-USDT") & (pl.col("opened_at") == at)
    hole = table.with_columns(pl.when(here).then(float("nan")).otherwise("return_6").alias("return_6"))
    assert offline.unknown_past_warmup(hole, history) == [f"ETH-USDT at {at}"]
    bits = table["return_6"].to_numpy().copy().view(np.int64)
    bits[table.with_row_index().filter(here)["index"][0]] ^= 1
    flipped = table.with_columns(pl.Series("return_6", bits.view(np.float64)))
    assert offline.differs_online(flipped, history) == [f"ETH-USDT at {at}"]
    assert table.filter(pl.col("symbol") == "BTC-USDT")["return_168"].is_nan().sum() == LOOKBACK - 2


def test_a_table_with_a_hole_is_not_written_and_nothing_is_trained_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(drift=0.0)
    monkeypatch.setattr(offline, "unknown_past_warmup", lambda *_: ["ETH-USDT at 7"])
    done = dg.materialize([features.hourly, models.challenger], raise_on_error=False)
    assert list(materialized(done)) == ["features/hourly"]
    assert not done.success
    assert not offline.feature_path(settings()).exists()


def test_a_table_of_other_code_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no feature table"):
        offline.read(tmp_path / "none.parquet")
    offline.write(tmp_path / "old.parquet", pl.DataFrame({"feature_version": ["hourly-old"]}))
    with pytest.raises(InputError, match="made by other code"):
        offline.read(tmp_path / "old.parquet")


def test_every_schedule_waits_for_history_and_then_runs() -> None:
    schedules = (features.make_the_features, backtests.backtest_every_week, models.train_every_week)
    assert all(isinstance(schedule(dg.build_schedule_context()), dg.SkipReason) for schedule in schedules)
    fill(drift=0.0)
    assert all(isinstance(schedule(dg.build_schedule_context()), dg.RunRequest) for schedule in schedules)


@pytest.fixture
def ledger(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    config = settings().model_copy(update={"postgres_url": postgres})
    monkeypatch.setattr("assets.backtests.counting.settings", lambda: config)
    return postgres


def test_a_strategy_over_the_lake_is_a_trial_in_the_ledger_with_a_tear_sheet(ledger: str) -> None:
    fill(drift=0.002)
    (asset,) = [each for each in backtests.defs.assets or () if each.key == dg.AssetKey(["backtests", "buy_and_hold"])]
    for _ in range(2):  # the same again is no further trial
        metadata = materialized(dg.materialize([asset]))["backtests/buy_and_hold"]
        assert metadata["trials"] == 1
    assert "<h2>Months</h2>" in Path(str(metadata["tear sheet"])).read_text()
    assert str(metadata["equity"]).startswith("![equity](data:image/svg+xml;base64,")
    assert metadata["total return"] == metadata["benchmark return"]
