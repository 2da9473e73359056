"""The whole platform as a person starts it, for end-to-end tests and benchmarks: real processes on free ports."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

READY_SECONDS = 240.0  # the first start on a machine compiles every kernel
LIVE_PATH = "valkey,ingestion,realtime,serving"
PORTS = (
    "POSTGRES_PORT",
    "VALKEY_PORT",
    "CLICKHOUSE_PORT",
    "SIMULATOR_PORT",
    "PORT",
    "INGESTION_METRICS_PORT",
    "REALTIME_METRICS_PORT",
    "LAKE_METRICS_PORT",
    "DAGSTER_PORT",
    "MLFLOW_PORT",
)


@dataclass(frozen=True)
class Platform:
    """A running platform: ports by setting, the supervisor, the log of all parts, and the settings it started with."""

    ports: dict[str, int]
    process: subprocess.Popen[bytes]
    log: Path
    environment: dict[str, str]

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports['PORT']}"

    @property
    def websocket(self) -> str:
        return f"ws://127.0.0.1:{self.ports['PORT']}/ws/market-data"

    @property
    def simulator(self) -> str:
        return f"http://127.0.0.1:{self.ports['SIMULATOR_PORT']}"

    @property
    def redis(self) -> str:
        return f"redis://127.0.0.1:{self.ports['VALKEY_PORT']}/0"


def free_ports(count: int) -> list[int]:
    """Return ports that are free now; all are held until the last is known, so that no two are the same."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def wait_until_answers(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = READY_SECONDS) -> None:
    """Wait for a 200; raise with the end of the log if the process ends first, or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode}:\n{log.read_text(errors='replace')[-4000:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=2).status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{url} was not ready within {seconds:g} s:\n{log.read_text(errors='replace')[-4000:]}")


@contextlib.contextmanager
def command(arguments: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run one `cap` subcommand for the length of a block; it is stopped as by Ctrl-C."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "infra.cli", *arguments],
            env=os.environ | environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def platform(
    directory: Path, *, simulator: list[str] | None = None, settings: dict[str, str] | None = None, only: str = ""
) -> Iterator[Platform]:
    """Run `cap up` (or parts of it) against a simulator started with these options; yield once all is ready."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    environment = {f"CAP_{name}": str(port) for name, port in ports.items()}
    environment |= {"CAP_DATA_DIRECTORY": str(directory / "data"), **(settings or {})}
    log = directory / "platform.log"
    with contextlib.ExitStack() as stack:
        up = ["up", "--simulate"]
        if simulator is not None:
            up = ["up"]
            simulator_log = directory / "simulator.log"
            process = stack.enter_context(command(["simulate", *simulator], environment, simulator_log))
            url = f"http://127.0.0.1:{ports['SIMULATOR_PORT']}"
            wait_until_answers(f"{url}/health", process, simulator_log)
            environment["CAP_SIMULATOR_URL"] = url
        process = stack.enter_context(command([*up, *(["--only", only] if only else [])], environment, log))
        running = Platform(ports, process, log, environment)
        readiness = {"serving": "PORT", "ingestion": "INGESTION_METRICS_PORT", "realtime": "REALTIME_METRICS_PORT"}
        for port in [ports[name] for part, name in readiness.items() if not only or part in only]:
            wait_until_answers(f"http://127.0.0.1:{port}/ready", process, log)
        yield running
