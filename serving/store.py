"""What the engine has left in Redis, read for people: rows of closed candles, indicators and signals, forming ones.

Rows come as JSON text that is passed on unread. Everything here raises UnavailableError when Redis does not answer.
"""

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
import redis.asyncio as redis
from redis.exceptions import RedisError

from infra.errors import UnavailableError
from infra.settings import Settings
from ingestion.market import CANDLE, Series
from realtime import outputs
from serving.channels import Channel, Topic

Result = TypeVar("Result")
REMEMBERED_SECONDS = 1.0


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


class Store:
    """A reader over one pool of connections."""

    def __init__(self, client: redis.Redis, settings: Settings) -> None:
        """Read through `client`, which returns bytes."""
        self.client = client
        self._settings = settings
        self._engine = Engine()
        self._read_at = -REMEMBERED_SECONDS

    async def ask(self, question: Awaitable[Result]) -> Result:
        """Await an answer of Redis. Raises UnavailableError."""
        try:
            return await question
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("Redis does not answer; candles, indicators and signals cannot be read") from error

    async def engine(self) -> Engine:
        """Return what the engine publishes, at most a second old."""
        if time.monotonic() - self._read_at >= REMEMBERED_SECONDS:
            pipe = self.client.pipeline(transaction=False)
            pipe.hgetall(outputs.ENGINE_KEY)
            pipe.smembers(outputs.SERIES_KEY)
            told, series = await self.ask(pipe.execute())
            self._engine = Engine(
                running=bool(told),
                columns=_names(told.get(b"columns", b"[]")),
                converged=msgspec.json.decode(told.get(b"converged", b"[]"), type=tuple[int, ...]),
                simulated=self._settings.simulated or told.get(b"simulated", b"") in {b"1", b"true", b"True"},
                series=frozenset(name.decode() for name in series),
            )
            self._read_at = time.monotonic()
        return self._engine

    async def knows(self, series: Series) -> bool:
        """Tell whether a series is published, or will be as soon as its first trades arrive."""
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
        if channel.topic is not Topic.CANDLES:
            return None
        row = await self.ask(self.client.hget(outputs.forming_key(channel.series), "candle"))
        if row is None:
            return None
        simulated = (await self.engine()).simulated
        candle = np.frombuffer(row, CANDLE)[0]
        document = outputs.candle_document(candle, forming=True, simulated=simulated)
        return Row(0, int(candle["opened_at"]), int(candle["revision"]), msgspec.json.encode(document))


def _names(text: bytes) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])


def read(channel: Channel, member: bytes, engine: Engine) -> Row:
    """Read one member of a history."""
    if channel.topic is Topic.CANDLES:
        stored = outputs.StoredCandle.unpack(member)
        candle = np.frombuffer(stored.candle, CANDLE)[0]
        document = outputs.candle_document(candle, simulated=engine.simulated)
        return Row(stored.sequence, int(candle["opened_at"]), int(candle["revision"]), msgspec.json.encode(document))
    raise NotImplementedError(channel.topic)
