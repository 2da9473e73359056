"""A real ClickHouse of one's own for the tests of the warehouse, and a lake."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import httpx
import numpy as np
import pytest

from infra.clock import DAY, HOUR
from infra.settings import Settings
from ingestion.lake.rows import candle_frame
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake
from ingestion.market import CANDLE
from tests.conftest import eventually, free_port

BEGIN = 19_400 * DAY


@pytest.fixture(scope="package")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder, port = tmp_path_factory.mktemp("warehouse"), free_port()
    command = ["-m", "infra.local.clickhouse", "--path", str(folder / "clickhouse"), "--port", str(port)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CAP_")}
    with (folder / "clickhouse.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-P", *command], stdout=log, stderr=log, env=clean)
    try:
        ping = f"http://127.0.0.1:{port}/ping"
        eventually(lambda: httpx.get(ping, trust_env=False).text == "Ok.\n", 60, httpx.TransportError)
        yield Settings(clickhouse_port=port, data_directory=folder)
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def client(config: Settings):
    """A client of a warehouse in which nothing is."""
    warehouse = clickhouse_connect.get_client(dsn=config.clickhouse, username="default", autogenerate_session_id=False)
    warehouse.command("DROP DATABASE IF EXISTS lake")
    warehouse.command("DROP DATABASE IF EXISTS warehouse")
    return warehouse


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Local(tmp_path / "lake"))


def hours(symbol: str, count: int, *, exchange: str = "binance", first: int = 0, revision: int = 0, seed: int = 1):
    """Hourly candles that walk."""
    random, rows = np.random.default_rng(seed), np.zeros(count, CANDLE)
    rows["opened_at"] = BEGIN + (first + np.arange(count)) * HOUR
    rows["known_at"] = rows["opened_at"] + HOUR
    close = 1_000_000 + np.cumsum(random.integers(-9_999, 10_000, count))
    rows["close"], rows["open"] = close, np.r_[close[:1], close[:-1]]
    rows["high"], rows["low"] = np.maximum(close, rows["open"]) + 7, np.minimum(close, rows["open"]) - 7
    rows["volume"], rows["trade_count"] = random.integers(1, 10**9, count), 5
    rows["taker_buy_volume"], rows["quote_low"] = rows["volume"] // 3, rows["volume"] * 3
    rows["price_scale"], rows["quantity_scale"], rows["revision"], rows["quality"] = 2, 5, revision, 0
    return candle_frame([exchange] * count, [symbol] * count, ["1h"] * count, rows)


@pytest.fixture
def make_hours():
    return hours
