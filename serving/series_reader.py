"""What the engine has left in Redis, read for people: rows of closed candles, indicators and signals, forming ones.

Rows come as JSON text that is passed on unread. Everything here raises UnavailableError when Redis does not answer.
"""

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np
import redis.asyncio as redis
from redis.exceptions import RedisError

from infra.errors import UnavailableError
from infra.settings import Settings
from ingestion.market import CANDLE, Series
from realtime.outputs.documents import candle_document, indicators_document
from realtime.outputs.names import ENGINE_KEY, LATEST_SIGNALS_KEY, SERIES_KEY, forming_key
from realtime.outputs.stored import StoredCandle, StoredIndicators, StoredSignal
from serving.channels import Channel, Topic

REMEMBERED_SECONDS = 1.0
_indicators = msgspec.msgpack.Decoder(StoredIndicators)
_signals = msgspec.msgpack.Decoder(StoredSignal)


class Row(NamedTuple):
    """One closed row: the sequence it was published under, its time, how often it was revised, and its JSON."""

    sequence: int
    opened_at: int
    revision: int
    document: bytes


@dataclass(frozen=True)
class Engine:
    """What the engine says of itself; `running` is false before its first start on this data."""

    running: bool = False
    columns: tuple[str, ...] = ()
    converged: tuple[int, ...] = ()
    simulated: bool = False
    series: frozenset[str] = field(default_factory=frozenset)


class SeriesReader:
    """Reads over one pool of connections, for requests and for the hub of the WebSocket."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        """Read through `client`, which returns bytes."""
        self.client = client
        self._settings = settings
        self._engine = Engine()
        self._read_at = -REMEMBERED_SECONDS

    async def ask(self, question: Awaitable[object]) -> Any:
        """Await an answer of Redis, as bytes. Raises UnavailableError."""
        try:
            return await question
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("Redis does not answer; candles, indicators and signals cannot be read") from error

    async def engine(self) -> Engine:
        """Return what the engine publishes, at most a second old."""
        if time.monotonic() - self._read_at >= REMEMBERED_SECONDS:
            pipe = self.client.pipeline(transaction=False)
            pipe.hgetall(ENGINE_KEY)
            pipe.smembers(SERIES_KEY)
            metadata, series = await self.ask(pipe.execute())
            self._engine = Engine(
                running=bool(metadata),
                columns=_names(metadata.get(b"columns", b"[]")),
                converged=msgspec.json.decode(metadata.get(b"converged", b"[]"), type=tuple[int, ...]),
                simulated=self._settings.simulated or metadata.get(b"simulated", b"") in {b"1", b"true", b"True"},
                series=frozenset(name.decode() for name in series),
            )
            self._read_at = time.monotonic()
        return self._engine

    async def knows(self, series: Series) -> bool:
        """Return whether a series is published, or will be as soon as its first trades arrive."""
        configured = str(series.symbol) in self._settings.symbols
        exchanges = (*self._settings.exchanges, "composite")
        return (configured and series.exchange in exchanges) or str(series) in (await self.engine()).series

    async def rows(
        self, channel: Channel, limit: int, *, since: int | None = None, before: int | None = None
    ) -> list[Row]:
        """Return the newest `limit` rows with `since <= opened_at < before`, in the order of time."""
        low = "-inf" if since is None else since
        high = "+inf" if before is None else f"({before}"
        question = self.client.zrevrangebyscore(channel.history, high, low, start=0, num=limit)
        members = await self.ask(question)
        engine = await self.engine()
        return [read(channel, member, engine) for member in reversed(members)]

    async def forming(self, channel: Channel) -> Row | None:
        """Return the unfinished row; signals have none."""
        if channel.topic is Topic.SIGNALS:
            return None
        fields = ["candle", "indicators"]
        candle, values = await self.ask(self.client.hmget(forming_key(channel.series), fields))
        if candle is None or values is None:
            return None
        engine = await self.engine()
        row = np.frombuffer(candle, CANDLE)[0]
        opened_at, revision = int(row["opened_at"]), int(row["revision"])
        document = candle_document(row, forming=True, simulated=engine.simulated)
        if channel.topic is Topic.INDICATORS:
            last = await self.ask(self.client.zrange(channel.history, -1, -1))
            if not last or len(values) != 8 * len(engine.columns):
                return None
            bars = _indicators.decode(last[0]).bars + 1
            stored = StoredIndicators(0, opened_at, int(row["known_at"]), 0, bars, values)
            document = _document(stored, engine, forming=True)
        return Row(0, opened_at, revision, msgspec.json.encode(document))

    async def latest_signals(self) -> dict[str, bytes]:
        """Return the newest signal of every series, by the series' name."""
        documents = await self.ask(self.client.hgetall(LATEST_SIGNALS_KEY))
        return {name.decode(): document for name, document in documents.items()}


def _names(text: bytes) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])


def read(channel: Channel, member: bytes, engine: Engine) -> Row:
    """Read one member of a history."""
    match channel.topic:
        case Topic.CANDLES:
            stored = StoredCandle.unpack(member)
            candle = np.frombuffer(stored.candle, CANDLE)[0]
            document = candle_document(candle, simulated=engine.simulated)
            opened_at, revision = int(candle["opened_at"]), int(candle["revision"])
            return Row(stored.sequence, opened_at, revision, msgspec.json.encode(document))
        case Topic.INDICATORS:
            row = _indicators.decode(member)
            return Row(row.sequence, row.opened_at, row.revision, msgspec.json.encode(_document(row, engine)))
        case Topic.SIGNALS:
            signal = _signals.decode(member)
            return Row(signal.sequence, signal.opened_at, 0, signal.document)


def _document(row: StoredIndicators, engine: Engine, *, forming: bool = False) -> dict[str, object]:
    """Write a row of indicators; one of another set of columns, from before an update of the engine, has no names."""
    known = len(row.values) == 8 * len(engine.columns) == 8 * len(engine.converged)
    columns, converged = (engine.columns, engine.converged) if known else ((), ())
    readable = row if known else msgspec.structs.replace(row, values=b"")
    return indicators_document(columns, converged, readable, forming=forming, simulated=engine.simulated)
