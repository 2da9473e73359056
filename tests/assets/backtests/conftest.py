"""Small histories written down by hand, and a real PostgreSQL."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest

from assets.backtests.costs import Slippage, Terms
from assets.backtests.history import History
from assets.backtests.run import Result, Sizing, backtest
from infra.local.postgres import command
from ingestion.market import Timeframe
from realtime.strategies import INTENTS
from tests.conftest import eventually, free_port

START = 1_672_531_200_000_000  # 2023-01-01
HOUR = 3_600_000_000
Bar = tuple[float, float, float, float]


def history(*series: list[Bar | None], volume: float = 1e9) -> History:
    bars = np.full((len(series), 5, len(series[0])), np.nan)
    for s, rows in enumerate(series):
        for t, bar in enumerate(rows):
            if bar is not None:
                bars[s, :, t] = (*bar, volume)
    opened_at = START + HOUR * np.arange(len(series[0]))
    names = tuple(f"S{s}-USDT" for s in range(len(series)))
    return History(names, Timeframe.H1, opened_at, bars, 0, "by hand", int(opened_at[-1]) + HOUR)


def run(candles: History, *orders: dict[int, dict[str, float]], size: float = 1.0, **terms: object) -> Result:
    """Simulate orders given as {bar: {intent: value}} per symbol, without costs unless terms are given."""
    free: dict[str, object] = {"slippage": Slippage("fixed", 0.0), "lot": 1e-9, "share": 1.0, "perpetual": True}
    sizing = Sizing(str(terms.pop("sizing", "fraction")), size)
    funding = terms.pop("funding", np.zeros(candles.bars[:, 0].shape))
    intents = np.full((len(candles.symbols), len(INTENTS), len(candles.opened_at)), np.nan)
    for s, by_bar in enumerate(orders):
        for t, intent in by_bar.items():
            for name, value in intent.items():
                intents[s, INTENTS.index(name), t] = value
    return backtest(
        candles, intents, Terms(**{"maker_bps": 0.0, "taker_bps": 0.0} | free | terms), 1_000.0, sizing, funding
    )


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates and the like go beside the test's own files."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def by_hand() -> Callable[..., History]:
    return history


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Result]:
    return run


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """URL of a real PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        server = subprocess.Popen(command(Path(folder) / "postgres", "127.0.0.1", port), stderr=subprocess.DEVNULL)
        url = f"postgresql://cap@127.0.0.1:{port}/cap"
        try:
            eventually(lambda: psycopg.connect(url).close() is None, 60, psycopg.Error)
            yield url
        finally:
            server.terminate()
            server.wait()
