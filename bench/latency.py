"""From a trade's exchange time on the simulator to the update in a WebSocket client, through the whole platform."""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import websockets

from bench import Row
from bench.live_platform import LIVE_PATH, Platform, platform

TRADES_A_SECOND = 5_000
SECONDS = 30.0
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "BNB-USDT")
EXCHANGES = ("binance", "bybit", "okx")

BYBIT = 2_290_000_000_000_000_000  # added to the ids of its spot trades on the wire

Arrival = tuple[str, str, int, float]
"""Exchange, symbol, id of a forming candle's newest trade, and when it arrived, ms."""


async def listen(running: Platform, seconds: float) -> list[Arrival]:
    """Follow the forming candles of all symbols for some seconds; return the newest trade of each update."""
    arrivals: list[Arrival] = []
    channels = [f"ohlcv.{exchange}:{symbol}.1m" for exchange in EXCHANGES for symbol in SYMBOLS]
    async with websockets.connect(running.websocket, max_size=None) as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "method": "subscribe", "params": channels, "id": 1}))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            message = json.loads(await asyncio.wait_for(socket.recv(), 30))
            arrived = time.time() * 1e3
            update = message.get("params") if isinstance(message, dict) else None
            if update and update["kind"] == "forming":
                exchange, _, symbol = update["channel"].removeprefix("ohlcv.").removesuffix(".1m").partition(":")
                number = int(update["data"]["last_trade_id"])
                arrivals.append((exchange, symbol, number - BYBIT if exchange == "bybit" else number, arrived))
    return arrivals


def ages(running: Platform, arrivals: list[Arrival]) -> list[float]:
    """Return how old the trades were, ms: the simulator says when it sent each; its times are whole ms."""
    sent_at = {}
    for exchange in EXCHANGES:
        for symbol in SYMBOLS:
            tape = httpx.get(f"{running.simulator}/admin/tape/{exchange}/{symbol}", timeout=60).json()
            sent_at.update({(exchange, symbol, trade["id"]): trade["at"] for trade in tape})
    return [
        arrived - sent_at[exchange, symbol, number]
        for exchange, symbol, number, arrived in arrivals
        if (exchange, symbol, number) in sent_at
    ]


def measure(rate: int = TRADES_A_SECOND, seconds: float = SECONDS) -> list[float]:
    """Run the live path, let it warm up for 15 s, and return the ages of the updates in the seconds after that, ms."""
    with (
        tempfile.TemporaryDirectory() as directory,
        platform(Path(directory), simulator=["--rate", str(rate)], only=LIVE_PATH) as running,
    ):
        asyncio.run(listen(running, 15.0))  # warm-up: history is loaded, every process has caught up
        return ages(running, asyncio.run(listen(running, seconds)))


def run() -> list[Row]:
    milliseconds = sorted(measure())
    p50, p99 = statistics.median(milliseconds), milliseconds[int(len(milliseconds) * 0.99)]
    what = f"frame sent by the simulator → update at a WebSocket client, {TRADES_A_SECOND:,} trades/s"
    note = f"{len(milliseconds):,} updates; times have whole milliseconds, so that a figure is up to 1 ms too high"
    return [
        {"what": f"{what}, p50", "value": p50, "unit": "ms", "bar": "≤ 5", "met": p50 <= 5, "note": note},
        {"what": f"{what}, p99", "value": p99, "unit": "ms", "bar": "≤ 25", "met": p99 <= 25, "note": note},
    ]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(), indent=1) + "\n")
