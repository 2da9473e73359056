"""From a trade's exchange time on the simulator to the update in a WebSocket client, through the whole platform."""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import websockets

from bench import Row
from bench.live_platform import LIVE_PATH, Platform, platform

TRADES_A_SECOND = 5_000
SECONDS = 30.0
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "BNB-USDT")
EXCHANGES = ("binance", "bybit", "okx")


async def listen(running: Platform, seconds: float) -> list[float]:
    """Return the age in ms of each forming candle's newest trade on arrival. The exchange's time has whole ms."""
    ages: list[float] = []
    channels = [f"ohlcv.{exchange}:{symbol}.1m" for exchange in EXCHANGES for symbol in SYMBOLS]
    async with websockets.connect(running.websocket, max_size=None) as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "method": "subscribe", "params": channels, "id": 1}))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message = json.loads(await asyncio.wait_for(socket.recv(), 30))
            arrived = time.time() * 1e3
            update = message.get("params") if isinstance(message, dict) else None
            if update and update["kind"] == "forming":
                ages.append(arrived - update["data"]["known_at"] / 1e3)
    return ages


def measure(rate: int = TRADES_A_SECOND, seconds: float = SECONDS) -> list[float]:
    with (
        tempfile.TemporaryDirectory() as directory,
        platform(Path(directory), simulator=["--rate", str(rate)], only=LIVE_PATH) as running,
    ):
        asyncio.run(listen(running, 15.0))  # warm-up: history is loaded, everybody has caught up
        return asyncio.run(listen(running, seconds))


def run() -> list[Row]:
    ages = sorted(measure())
    p50, p99 = statistics.median(ages), ages[int(len(ages) * 0.99)]
    what = f"frame sent by the simulator → update at a WebSocket client, {TRADES_A_SECOND:,} trades/s"
    note = f"{len(ages):,} updates; times have whole milliseconds, so that a figure is up to 1 ms too high"
    return [
        {"what": f"{what}, p50", "value": p50, "unit": "ms", "bar": "≤ 5", "met": p50 <= 5, "note": note},
        {"what": f"{what}, p99", "value": p99, "unit": "ms", "bar": "≤ 25", "met": p99 <= 25, "note": note},
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=1) + "\n")
