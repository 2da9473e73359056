"""kill -9 of the embedded ClickHouse at random instants while four writers insert: no acknowledged row is lost.

`python bench/clickhouse_kills.py --kills 200` prints one JSON line. Every insert carries its own numbers and a
deduplication token; what was not acknowledged is sent again with the same token, so that no row may be doubled either.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

WRITERS = 4
ROWS = 50
TABLE = (
    "CREATE TABLE IF NOT EXISTS entries (writer UInt8, number UInt64, name String) "
    "ENGINE = MergeTree ORDER BY (writer, number)"
)
COUNT = (
    "SELECT writer, count(), uniqExact(number), max(number), countIf(name != repeat(toString(number), 3)) "
    "FROM entries GROUP BY writer ORDER BY writer"
)


def free_port() -> int:
    """Return a port that is free now; the server binds it again after every kill."""
    for port in range(21400, 21499):
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise SystemExit("no free port in 21400-21498")


def start(path: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the server on this directory, without the settings of whoever runs this; its log stands beside it."""
    command = [sys.executable, "-P", "-m", "infra.local.clickhouse", "--path", str(path), "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAP_")}
    with path.with_suffix(".log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)


def wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit("the server does not start on a directory that a kill left behind")
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/ping", trust_env=False, timeout=5).text == "Ok.\n":
                return
        time.sleep(0.05)
    raise SystemExit("the server is not ready within 60 s")


@dataclass
class Writer:
    """Inserts batches in order until it is stopped, each again until it is acknowledged; `acknowledged` counts rows."""

    name: int
    url: str
    stop: threading.Event
    acknowledged: int = 0
    repetitions: int = 0
    refusals: list[str] = field(default_factory=list)

    def run(self) -> None:
        client = httpx.Client(trust_env=False, timeout=30)
        while not self.stop.is_set():
            first = self.acknowledged
            body = "".join(f"{self.name},{k},{str(k) * 3}\n" for k in range(first, first + ROWS))
            query = {"query": "INSERT INTO entries FORMAT CSV", "insert_deduplication_token": f"{self.name}:{first}"}
            try:
                answer = client.post(self.url, params=query, content=body)
            except httpx.TransportError:
                self.repetitions += 1
                time.sleep(0.2)  # a refused connection costs the CPU that the start needs
                continue
            if answer.status_code == 200:
                self.acknowledged += ROWS
            else:
                self.refusals.append(answer.text[:300])
                self.stop.set()
        client.close()


def counts(url: str) -> dict[int, tuple[int, ...]]:
    """Return by writer: rows, distinct numbers, the largest number, rows whose name does not fit their number."""
    lines = httpx.post(url, content=COUNT, trust_env=False, timeout=60).raise_for_status().text.splitlines()
    return {int(cells[0]): tuple(map(int, cells[1:])) for cells in (line.split("\t") for line in lines)}


def check(table_counts: dict[int, tuple[int, ...]], writers: list[Writer]) -> dict[str, int]:
    """Return how many rows are lost, doubled, wrong; at most one batch a writer may be stored unacknowledged."""
    total = {"lost": 0, "doubled": 0, "wrong": 0, "unknown": 0}
    for writer in writers:
        rows, distinct, last, wrong = table_counts.get(writer.name, (0, 0, -1, 0))
        total["lost"] += max(0, writer.acknowledged - distinct) + (last + 1 - distinct if rows else 0)
        total["doubled"] += rows - distinct
        total["wrong"] += wrong
        total["unknown"] += max(0, distinct - writer.acknowledged - ROWS)
    return total


def run_kills(kills: int, directory: Path, seed: int = 1) -> dict[str, object]:
    """Kill the server `kills` times, count after each restart, and return the totals."""
    random_ = random.Random(seed)
    port, stop = free_port(), threading.Event()
    url, path = f"http://127.0.0.1:{port}", directory / "clickhouse"
    server = start(path, port)
    wait_until_ready(server, url)
    httpx.post(url, content=TABLE, trust_env=False).raise_for_status()
    writers = [Writer(k, url, stop) for k in range(WRITERS)]
    threads = [threading.Thread(target=writer.run) for writer in writers]
    lost, restart_seconds = 0, []
    try:
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(random_.uniform(0.0, 0.5))
            server.send_signal(signal.SIGKILL)
            server.wait()
            acknowledged = {writer.name: writer.acknowledged for writer in writers}
            restart_at = time.monotonic()
            server = start(path, port)
            wait_until_ready(server, url)
            restart_seconds.append(time.monotonic() - restart_at)
            lost += missing(counts(url), acknowledged)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        if server.poll() is None:
            totals = check(counts(url), writers)
            server.kill()
            server.wait()
    totals["lost"] += lost
    return {"kills": kills, **totals, **course(writers, restart_seconds)}


def missing(table_counts: dict[int, tuple[int, ...]], acknowledged: dict[int, int]) -> int:
    """Return how many rows that were acknowledged before the kill are not there after it."""
    return sum(max(0, rows - table_counts.get(name, (0, 0))[1]) for name, rows in acknowledged.items())


def course(writers: list[Writer], restart_seconds: list[float]) -> dict[str, object]:
    """Return what the writers went through, and how long the restarts took."""
    return {
        "acknowledged": sum(writer.acknowledged for writer in writers),
        "inserts_cut_off": sum(writer.repetitions for writer in writers),
        "refused": [text for writer in writers for text in writer.refusals],
        "restart_seconds_median": sorted(restart_seconds)[len(restart_seconds) // 2],
        "restart_seconds_most": max(restart_seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = run_kills(options.kills, Path(directory), options.seed)
    print(json.dumps(report))
    if any(report[fault] for fault in ("lost", "doubled", "wrong", "unknown", "refused")):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
