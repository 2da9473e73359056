"""`cap backfill` from a real simulator: resumable, reconciled with ours, honest about what is missing."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.clock import DAY, HOUR
from infra.errors import InputError, UnavailableError
from infra.settings import Settings
from ingestion.history import backfill
from ingestion.history.backfill import Span, fetch_all
from ingestion.history.importing import total
from ingestion.lake import frame
from ingestion.lake.datasets import CANDLES
from ingestion.lake.rows import candle_frame, candle_rows
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake, append, latest
from ingestion.market import Symbol, Timeframe
from ingestion.streams.rest import RestClient
from tests.conftest import eventually, free_port

BTC, ETH = Symbol.parse("BTC-USDT"), Symbol.parse("ETH-USDT")
NOW = int(time.time()) * 1_000_000
END = NOW - NOW % HOUR - 2 * HOUR
SPAN = Span(Timeframe.H1, END - 10 * DAY, END)


@pytest.fixture(scope="module")
def config() -> Iterator[Settings]:
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAP_")}
    command = [sys.executable, "-P", "-m", "infra.cli", "simulate", "--symbols", "2", "--rate", "1", "--days", "11"]
    server = subprocess.Popen(command, env={**environment, "CAP_SIMULATOR_PORT": str(port)}, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: httpx.get(f"{url}/health").is_success, 60, httpx.TransportError)
        yield Settings(simulator_url=url)
    finally:
        server.kill()
        server.wait()


def fetch(lake: Lake, config: Settings, *symbols: Symbol, span: Span = SPAN, names=("binance",)):
    return total(asyncio.run(fetch_all(lake, config, names, symbols or (BTC,), span)))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Local(tmp_path / "lake"))


def test_all_exchanges_are_fetched_whole_and_labelled_as_simulated(lake: Lake, config: Settings) -> None:
    done = fetch(lake, config, BTC, ETH, names=("binance", "bybit", "okx"))
    assert (done.added, done.differing) == (6 * 240, 0)
    rows = frame("candles", store=lake.store)
    assert rows.group_by("exchange", "symbol").len()["len"].to_list() == [240] * 6
    assert rows["simulated"].all()
    assert set(frame("instruments", store=lake.store)["exchange"]) == {"binance", "bybit", "okx"}
    again = fetch(lake, config, BTC, ETH, names=("binance", "bybit", "okx"))
    assert (again.added, again.equal) == (0, 0)


def test_an_interrupted_backfill_goes_on_where_it_was(
    lake: Lake, config: Settings, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(backfill, "PIECE", 50)
    requests = []
    get = RestClient.get

    async def counted(self: RestClient, path: str, parameters: dict, *, weight: float) -> bytes:
        if "klines" in path:
            requests.append(path)
            if len(requests) == 4:
                raise UnavailableError("the network is away")
        return await get(self, path, parameters, weight=weight)

    monkeypatch.setattr(RestClient, "get", counted)
    with pytest.raises(UnavailableError, match="the network is away"):
        fetch(lake, config)
    assert len(frame("candles", store=lake.store)) == 150
    assert fetch(lake, config).added == 90
    assert len(requests) == 6
    uninterrupted = Lake(Local(tmp_path / "uninterrupted"))
    monkeypatch.setattr(backfill, "PIECE", 10_000)
    fetch(uninterrupted, config)
    assert latest(lake, CANDLES).content == latest(uninterrupted, CANDLES).content


def test_ours_hold_where_they_are_complete_and_are_mended_where_they_have_a_gap(lake: Lake, config: Settings) -> None:
    fetch(lake, config)
    rows = candle_rows(frame("candles", store=lake.store))
    ours = Lake(Local(Path(lake.store.root) / "ours"))
    rows["quality"] = 0
    rows["close"][5], rows["high"][5] = rows["close"][5] + 1, rows["high"][5] + 1
    rows["volume"][6], rows["quality"][6] = 1, 1  # trades are missing
    rows = rows[[n for n in range(len(rows)) if n not in (8, 9)]]
    count = len(rows)
    append(ours, CANDLES, candle_frame(["binance"] * count, ["BTC-USDT"] * count, ["1h"] * count, rows), {}, {})
    done = fetch(ours, config)
    assert (done.added, done.revised, done.differing, done.equal) == (2, 1, 1, 236)
    candles = frame("candles", store=ours.store)
    assert candles["revision"].to_list() == [0] * 6 + [1] + [0] * 233
    assert candles["quality"].to_list()[5:9] == ["complete", "backfilled", "complete", "backfilled"]


def test_a_past_that_the_exchange_does_not_know_is_not_made_up(lake: Lake, config: Settings) -> None:
    early = Span(Timeframe.H1, END - 90 * DAY, END - 80 * DAY)
    assert fetch(lake, config, span=early).added == 0


def test_the_command_names_what_is_wrong(lake: Lake, config: Settings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none lists NOPE-USDT"):
        fetch(lake, config, Symbol.parse("NOPE-USDT"))

    def cap(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-P", "-m", "infra.cli", "backfill", "--symbols", "BTC-USDT", *arguments]
        environment = {"CAP_SIMULATOR_URL": str(config.simulator_url), "CAP_LAKE_URL": str(tmp_path / "cap")}
        return subprocess.run(line, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)

    assert "4h" in cap("--from", "2023-01-01", "--timeframe", "4h").stderr
    assert "not a time" in cap("--from", "yesterday").stderr
    first, last = (time.strftime("%Y-%m-%dT%H:00", time.gmtime(at // 1_000_000)) for at in (END - DAY, END))
    done = cap("--from", first, "--timeframe", "1h", "--to", last, "--exchange", "okx")
    assert done.stdout.splitlines()[0] == "24 candles added, 0 equal ours, 0 revised, 0 differ from our own", (
        done.stderr
    )
