"""`cap ingest` between a real simulator and a real Valkey, and how the log compares with what the exchanges sent."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sized
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bench.live_platform import free_ports
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.messages import TRADES_TOPIC, Gap
from ingestion.simulator.dialects.bybit.rest import NAMES
from tests.ingestion.logged import Key, Logged, read_log

SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "BTC-USDT-PERP")
EXCHANGES = ("binance", "bybit", "okx")
Remainder = TypeVar("Remainder", bound=Sized)


class Following:
    """One simulator, one log, and a `cap ingest` that may be killed and started again."""

    def __init__(self, simulator: str, valkey: str, directory: Path, environment: dict[str, str], prelude: str) -> None:
        self.metrics = f"http://127.0.0.1:{environment['CAP_INGESTION_METRICS_PORT']}/metrics"
        self.simulator, self.valkey, self.directory = simulator, valkey, directory
        self._environment = os.environ | environment
        self._command = [sys.executable, "-P", "-c", f"{prelude}\nfrom infra.cli import main; main()", "ingest"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.directory / "ingest.log").open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(15)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def fault(self, **what: object) -> int:
        answer = httpx.post(f"{self.simulator}/admin/faults", json=what)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def end(self, fault: int) -> None:
        httpx.delete(f"{self.simulator}/admin/faults/{fault}")

    def spent(self) -> bool:
        """Return whether all faults have struck as often as they were to."""
        return not httpx.get(f"{self.simulator}/admin/faults").json()

    def strikes(self, kind: str) -> int:
        """Return how often a kind of fault has struck."""
        return int(httpx.get(f"{self.simulator}/admin/state").json()["faults_struck"].get(kind, 0))

    def metric(self, name: str, exchange: str) -> float:
        """Return what `cap ingest` counts for an exchange, 0 before the first time."""
        line = re.search(rf'^{name}{{exchange="{exchange}"}} (\S+)', httpx.get(self.metrics).text, re.MULTILINE)
        return float(line[1]) if line else 0.0

    def sent(self) -> dict[Key, list[dict[str, Any]]]:
        """Return what the exchanges traded: the truth."""
        trades = {}
        for exchange in EXCHANGES:
            for symbol in SYMBOLS:
                answer = httpx.get(f"{self.simulator}/admin/tape/{exchange}/{symbol}", timeout=30)
                assert answer.status_code == 200, answer.text
                trades[exchange, symbol] = answer.json()
        return trades

    def messages(self) -> int:
        """Return how many messages of market data the log holds."""
        log = ValkeyLog(self.valkey)
        count = log.end(Position(TRADES_TOPIC, 0))
        log.close()
        return count

    def logged(self) -> Logged:
        return read_log(self.valkey)

    def missing(self, until: int) -> Counter[str]:
        """Count the trades sent until a time that the log has not, by what it says of them, and of whom."""
        logged, missing = self.logged(), Counter[str]()
        status = {(g.exchange, g.symbol, g.first_id, g.from_at): g for g in logged.gaps}  # the last record of each
        for key, trades in self.sent().items():
            mine = {name for *series, name in logged.values if tuple(series) == key}
            since = logged.begin(key)
            for trade in trades:
                at = trade["at"] * 1_000
                if since <= at <= until and _name(key, trade["id"]) not in mine:
                    records = [gap for gap in status.values() if _inside(key, at, [gap])]
                    missing[f"{' '.join(key)} {'/'.join(sorted({gap.status for gap in records})) or 'silent'}"] += 1
        return missing

    def differences(self, until: int) -> list[str]:
        """Compare the log with what was sent until a time; name each lost, doubled or wrong trade.

        What lies in a gap that is on record as lost is not wrong; `missing` counts it.
        """
        logged, wrong = self.logged(), []
        lost = [gap for gap in logged.gaps if gap.status == "lost"]
        for key, trades in self.sent().items():
            mine = logged.trades[key]
            since = logged.begin(key)
            wrong += [f"{key} {name} {times} times" for name, times in mine.items() if times > 1]
            for trade in trades:
                at, name = trade["at"] * 1_000, _name(key, trade["id"])
                if not since <= at <= until or _inside(key, at, lost):
                    continue
                value = logged.values.get((*key, name))
                if value is None:
                    wrong.append(f"{key} {name} at {at} is lost")
                elif value != (at, *_amounts(key, trade)):
                    wrong.append(f"{key} {name} is {value}, not {trade}")
        return wrong


def _amounts(key: Key, trade: dict[str, Any]) -> tuple[Decimal, Decimal]:
    """Return price and quantity in base units: OKX's perpetuals trade in contracts of 0.01 BTC."""
    contract = Decimal("0.01" if key == ("okx", "BTC-USDT-PERP") else 1)
    return Decimal(trade["price"]), Decimal(trade["quantity"]) * contract


def _name(key: Key, number: int) -> str:
    """Write the id as the simulator does on the wire: Bybit's are large numbers, of perpetuals UUIDs."""
    if key[0] != "bybit":
        return str(number)
    if not key[1].endswith("-PERP"):
        return str(2_290_000_000_000_000_000 + number)
    return str(uuid.UUID(int=(NAMES.int ^ (number * 0x9E3779B97F4A7C15F39CC0605CEDC835)) & (2**128 - 1)))


def _inside(key: Key, at: int, gaps: list[Gap]) -> bool:
    return any((gap.exchange, gap.symbol) == key and gap.from_at <= at <= gap.to_at for gap in gaps)


@contextlib.contextmanager
def following(directory: Path, valkey: str, *, rate: float, prelude: str = "") -> Iterator[Following]:
    """Run simulator and ingestion for the length of a block; `prelude` may shorten deadlines of `cap ingest`."""
    directory.mkdir(parents=True, exist_ok=True)
    ports = free_ports(2)
    simulator = f"http://127.0.0.1:{ports[0]}"
    environment = {
        "CAP_SIMULATOR_PORT": str(ports[0]),
        "CAP_INGESTION_METRICS_PORT": str(ports[1]),
        "CAP_VALKEY_URL": valkey,
        "CAP_DATA_DIRECTORY": str(directory / "data"),
        "CAP_SYMBOLS": json.dumps(SYMBOLS),
    }
    arguments = [sys.executable, "-P", "-m", "infra.cli", "simulate", "--rate", str(rate), "--symbols", "3"]
    with (directory / "simulator.log").open("ab") as log:
        server = subprocess.Popen(arguments, env=os.environ | environment, stdout=log, stderr=log)
    run = Following(simulator, valkey, directory, environment | {"CAP_SIMULATOR_URL": simulator}, prelude)
    try:
        wait(lambda: httpx.get(f"{simulator}/health").status_code == 200)
        run.start()
        yield run
    finally:
        if run.process is not None and run.process.poll() is None:
            run.kill()
        server.kill()
        server.wait()


def remainder(read: Callable[[], Remainder], seconds: float = 150.0) -> Remainder:
    """Poll until nothing is left of what `read` returns; return what is left when the time is up."""
    deadline = time.monotonic() + seconds
    while len(rest := read()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return rest


def wait(condition: Any, seconds: float = 60.0) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.TransportError):
            if condition():
                return
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
