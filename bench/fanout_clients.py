"""The clients of the fan-out benchmark: one process, many sockets, percentiles of their latencies."""

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

import numpy as np
import uvloop

from bench.raw_socket import frame

MARK = b'"at":'


class Client(asyncio.Protocol):
    """One subscriber; reads frames only as far as it must."""

    def __init__(self, port: int, symbol: str, latencies: list[int], granted: asyncio.Semaphore) -> None:
        self.port, self.symbol, self.latencies, self.granted = port, symbol, latencies, granted
        self.buffer, self.open, self.count = b"", False, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(
            b"GET /ws/market-data HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % self.port
        )

    def data_received(self, data: bytes) -> None:
        now = time.time_ns() // 1_000
        data = self.buffer + data
        if not self.open:
            head, blank_line, data = data.partition(b"\r\n\r\n")
            if not blank_line:
                self.buffer = head
                return
            self.open = True
            request = {"jsonrpc": "2.0", "method": "subscribe", "params": [f"ohlcv.{self.symbol}.1m"], "id": 1}
            self.transport.write(frame(json.dumps(request).encode()))
        place = 0
        while len(data) - place >= 4:
            size, head = data[place + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[place + 2 : place + 4], "big"), 4
            if len(data) - place < head + size:
                break
            self.take(data[place + head : place + head + size], now)
            place += head + size
        self.buffer = data[place:]

    def take(self, payload: bytes, now: int) -> None:
        at = payload.find(MARK)
        if at >= 0:
            self.latencies.append(now - int(payload[at + 5 : at + 21]))
        elif b'"result"' in payload:
            self.granted.release()


async def main(port: int, clients: int, channels: int, warm: float, ready: Path, result: Path) -> None:
    latencies: list[int] = []
    granted, stop = asyncio.Semaphore(0), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    for number in range(clients):
        symbol = f"C{number % channels}USDT"
        await loop.create_connection(lambda s=symbol: Client(port, s, latencies, granted), "127.0.0.1", port)
    for _ in range(clients):
        await granted.acquire()
    await asyncio.sleep(1.0)
    ready.touch()  # noqa: ASYNC240 - an empty file
    while not latencies:  # noqa: ASYNC110 - an event set per message would slow the reader down
        await asyncio.sleep(0.01)
    await asyncio.sleep(warm)
    skipped = len(latencies)
    await stop.wait()
    await asyncio.sleep(2.0)
    measured = np.array(latencies[skipped:]) / 1_000
    p50, p99 = np.percentile(measured, [50, 99])
    result.write_text(json.dumps({"all": len(latencies), "p50": p50, "p99": p99}))  # noqa: ASYNC240 - at the end


if __name__ == "__main__":
    port, clients, channels, warm, ready, result = sys.argv[1:]
    uvloop.run(main(int(port), int(clients), int(channels), float(warm), Path(ready), Path(result)))
