"""What a stranger sees: time from `cap up --simulate` to the first live candle, and the memory of all processes."""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import psutil
import websockets

from bench import Row
from bench.live_platform import Platform, platform

MEMORY_MINUTES = 10.0


async def first_candle(running: Platform) -> None:
    """Return once a forming candle has come over the WebSocket; the server may not listen yet."""
    while True:
        try:
            async with websockets.connect(running.websocket) as socket:
                await socket.send('{"jsonrpc":"2.0","method":"subscribe","params":["ohlcv.BTCUSDT.1m"],"id":1}')
                async for text in socket:
                    update = json.loads(text).get("params")
                    if update and update["kind"] == "forming":
                        return
        except OSError:
            await asyncio.sleep(0.05)


def memory(running: Platform) -> int:
    """Return the proportional set size of the supervisor and all its descendants, bytes; shared pages count once."""
    top = psutil.Process(running.process.pid)
    total = 0
    for process in [top, *top.children(recursive=True)]:
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def run(minutes: float = MEMORY_MINUTES) -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        started = time.monotonic()
        with platform(Path(directory)) as running:
            asyncio.run(asyncio.wait_for(first_candle(running), 120))
            first = time.monotonic() - started
            until, samples = time.monotonic() + minutes * 60, []
            while time.monotonic() < until:
                time.sleep(min(10.0, minutes * 6))
                samples.append(memory(running))
    half, last = samples[len(samples) // 2] / 1e9, samples[-1] / 1e9
    note = f"{half:.2f} GB half-way"
    return [
        {
            "what": "cap up --simulate → first live candle on the WebSocket, kernels cached",
            "value": first,
            "unit": "s",
            "bar": "≤ 20",
            "met": first <= 20,
        },
        {
            "what": f"memory of the whole embedded platform after {minutes:g} min",
            "value": last,
            "unit": "GB",
            "bar": "≤ 2.5, no growth",
            "met": last <= 2.5,
            "note": note,
        },
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=1) + "\n")
