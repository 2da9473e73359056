"""Fan-out: one published update to many WebSocket clients, ours next to plain Starlette in the same run.

Publisher, server and clients are three processes. Every client follows one channel; latency is from the moment an
update is handed to Redis to the moment its frame is read by a client. `python -m bench.fanout_clients` is the client.
"""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import redis.asyncio as aioredis

import bench
from bench.lone_server import Engine, eventually, free_port, series, serving, valkey_server
from realtime.outputs.messages import Head, Kind
from realtime.outputs.names import candles_channel

CLIENTS, CHANNELS, DELIVERIES = 2_000, 100, 20_000
WARM_SECONDS, SECONDS, ROUNDS = 3.0, 8.0, 3
BODY = b'{"opened_at":1,"open":"27451.5","close":"27451.5","at":%d,"filler":"' + b"x" * 350 + b'"}'
BAR_MS = 15.0


def symbol(number: int) -> str:
    return f"C{number}USDT"


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(figures[name] for figures in runs) for name in runs[0]}


def _total(runs: list[dict[str, float]], name: str) -> float:
    return sum(figures[name] for figures in runs)


async def publish(url: str, rate: float, seconds: float) -> int:
    """Publish to all channels in turn, evenly; return how many updates."""
    client = aioredis.Redis.from_url(url)
    channels = [candles_channel(series(symbol(n))) for n in range(CHANNELS)]
    begun, count = time.monotonic(), 0
    while (elapsed := time.monotonic() - begun) < seconds:
        due = int(elapsed * rate) - count
        if due > 0:
            pipe = client.pipeline(transaction=False)
            for number in range(count, count + due):
                now = time.time_ns() // 1_000
                pipe.publish(channels[number % CHANNELS], Head(Kind.FORMING, 0, number + 1, now).pack() + BODY % now)
            await pipe.execute()
            count += due
        await asyncio.sleep(0.001)
    await client.aclose()
    return count


@contextlib.contextmanager
def plain(url: str, directory: Path) -> Iterator[tuple[int, int]]:
    """Run the peer: uvicorn and Starlette, one queue and one `send_text` per client."""
    port = free_port()
    environment = os.environ | {"FANOUT_REDIS": url, "FANOUT_PORT": str(port)}
    with (directory / "plain.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.fanout_plain"], env=environment, stdout=log, stderr=log
        )
    try:
        eventually(lambda: _answers(port), 60)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    return False


def cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(port: int, pid: int, url: str, directory: Path) -> dict[str, float]:
    """Connect all clients, publish, and return what they saw: deliveries, p50, p99 in ms; the server's CPU time."""
    server = psutil.Process(pid)
    ready, result = directory / "ready", directory / "result"
    ready.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "bench.fanout_clients",
        str(port),
        str(CLIENTS),
        str(CHANNELS),
        str(WARM_SECONDS),
        str(ready),
        str(result),
    ]
    clients = subprocess.Popen(command)
    try:
        eventually(lambda: ready.exists() or clients.poll() is not None, 90)
        rate = DELIVERIES / (CLIENTS / CHANNELS)
        before = cpu_seconds(server)
        count = asyncio.run(publish(url, rate, WARM_SECONDS + SECONDS))
        used = cpu_seconds(server) - before
        clients.terminate()
        clients.wait(30)
    finally:
        clients.kill()
        clients.wait()
    figures: dict[str, float] = json.loads(result.read_text())
    figures["cpu"] = used / figures["all"] * 1e6
    figures["lost"] = count * CLIENTS // CHANNELS - figures["all"]
    return figures


def run() -> list[bench.Row]:
    """Measure both in turn, ROUNDS times; report medians."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name, valkey_server(Path(name)) as url:
        directory = Path(name)
        engine = Engine(url)
        engine.start()
        engine.redis.sadd("series", *(str(series(symbol(n))) for n in range(CHANNELS)))
        for _ in range(ROUNDS):
            with serving(url, directory) as server:
                ours.append(measure(server.port, server.process.pid, url, directory))
            with plain(url, directory) as peer:
                theirs.append(measure(*peer, url, directory))
    mine, peers = _medians(ours), _medians(theirs)
    note = (
        f"p50 {mine['p50']:.2f} ms, {_total(ours, 'lost'):.0f} of {_total(ours, 'all'):.0f} "
        f"not delivered; Starlette p50 {peers['p50']:.2f} ms, {_total(theirs, 'lost'):.0f} not delivered"
    )
    return [
        {
            "what": f"fan-out: {CLIENTS:,} clients, {CHANNELS} channels, {DELIVERIES:,} deliveries/s, p99",
            "value": mine["p99"],
            "unit": "ms",
            "bar": f"≤ {BAR_MS:g} ms",
            "peers": {"Starlette send": peers["p99"]},
            "ratio": peers["p99"] / mine["p99"],
            "met": mine["p99"] <= BAR_MS,
            "note": note,
        },
        {
            "what": "fan-out: CPU time of the server per delivery",
            "value": mine["cpu"],
            "unit": "µs",
            "peers": {"Starlette send": peers["cpu"]},
            "ratio": peers["cpu"] / mine["cpu"],
        },
    ]


if __name__ == "__main__":
    for row in run():
        print(json.dumps(row, indent=1))
