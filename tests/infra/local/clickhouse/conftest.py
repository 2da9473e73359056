"""The embedded ClickHouse as its own process, asked over HTTP as anybody would."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_port

PASSWORD = "correct horse"


@dataclass
class Server:
    """`python -m infra.local.clickhouse` on a directory; its password comes from the settings."""

    path: Path
    port: int
    password: str = ""
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.path.with_suffix(".log").read_text(errors="replace")

    def start(self) -> "Server":
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CAP_")}
        with self.path.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "infra.local.clickhouse", "--path", self.path, "--port", str(self.port)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**clean, "CAP_CLICKHOUSE_PASSWORD": self.password},
            )
        return self

    def ready(self, seconds: float = 30.0) -> "Server":
        deadline = time.monotonic() + seconds
        while True:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/ping", trust_env=False, timeout=2).text == "Ok.\n":
                    return self
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, f"not ready within {seconds:g} s: {self.log}"
            time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(20)

    def client(self, **options) -> httpx.Client:
        headers = {"Accept-Encoding": "identity"} | ({"X-ClickHouse-Key": self.password} if self.password else {})
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30, headers=headers, **options)


@pytest.fixture
def make_server(tmp_path):
    """A function that makes servers, all on one directory; they are killed afterwards."""
    servers: list[Server] = []

    def make(path: Path = tmp_path / "clickhouse", password: str = "") -> Server:
        servers.append(Server(path, free_port(), password))
        return servers[-1]

    yield make
    for server in servers:
        if server.process is not None and server.process.poll() is None:
            server.process.kill()
            server.process.wait(10)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server with a password for all tests that only talk to it."""
    running = Server(tmp_path_factory.mktemp("shared") / "clickhouse", free_port(), PASSWORD).start().ready()
    yield running
    running.process.kill()
    running.process.wait(10)


@pytest.fixture
def ask(server):
    """A function: SQL (and body, URL parameters, headers) → the response to a POST."""
    with server.client() as client:

        def post(sql: str, body: bytes = b"", headers: dict[str, str] | None = None, **parameters: str):
            return client.post("/", params={"query": sql, **parameters}, content=body, headers=headers)

        yield post


@pytest.fixture
def table(ask, request):
    """An empty table of two columns, `id UInt32, name String`; its name."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)[:80]
    assert (
        ask(f"CREATE OR REPLACE TABLE {name} (id UInt32, name String) ENGINE = MergeTree ORDER BY id").status_code
        == 200
    )
    return name
