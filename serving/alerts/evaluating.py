"""Follows the log and finds what alerts wait for: each candle tells an alert once, whatever is killed in between.

What was found and how far the log was read are written in one transaction, and an event's key is alert and candle. The
price of a candle that is still forming is looked at once a second, for alerts that speak once.
"""

import asyncio
import time
from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np
import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from infra.errors import PlatformError, UnavailableError
from infra.eventlog import EventLog, Position
from ingestion.market import CANDLE, Series, Symbol, Timeframe
from realtime.outputs.names import forming_key
from serving.accounts.database import Database, Row, Transaction, change, one, rows
from serving.alerts.condition import met
from serving.alerts.observing import TOPICS, Observation, observations, price

LOG = structlog.get_logger()
PEEK_SECONDS = 1.0
WAIT_MS = 250
PAUSE_SECONDS = 1.0
ACTIVE = """
SELECT id, tenant_id, user_id, symbol || '.' || timeframe AS series, source, name, operator, threshold, repeat, last
FROM alerts WHERE active AND (expires_at IS NULL OR expires_at > now())
"""
FIRE = """
INSERT INTO alert_events (id, tenant_id, user_id, alert_id, opened_at, value)
SELECT %s, tenant_id, user_id, id, %s, %s FROM alerts WHERE id = %s AND active FOR UPDATE
ON CONFLICT (alert_id, opened_at) DO NOTHING RETURNING id
"""
SEND = """
INSERT INTO alert_deliveries (event_id, destination_id, tenant_id)
SELECT e.id, d.id, d.tenant_id FROM alert_events e JOIN destinations d ON d.user_id = e.user_id WHERE e.id = %s
"""
REACHED = """
INSERT INTO alert_positions (topic, partition, next_offset) VALUES (%s, %s, %s)
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""


class Evaluator:
    """See the file's first lines."""

    def __init__(self, database: Database, log: EventLog, client: redis.Redis, partitions: int) -> None:
        """Read nothing yet."""
        self._database, self._log, self._redis = database, log, client
        self._places = [Position(topic, number) for topic in TOPICS for number in range(partitions)]
        self._offsets: dict[Position, int] = {}
        self._alerts: dict[tuple[str, str, str], list[Row]] = {}
        self._last: dict[UUID, float] = {}
        self._written: dict[Position, int] = {}  # positions of the last transaction
        self._peeked_at = 0.0

    async def run(self) -> None:
        """Work until cancelled; what is away is waited for."""
        told = ""
        while True:
            try:
                await self._round()
                told = ""
            except (PlatformError, RedisError) as error:
                if str(error) != told:
                    LOG.warning("alerts wait", error=str(error))
                told = str(error)
                self._offsets.clear()
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:  # a mistake of ours must not end all alerts for ever
                LOG.exception("alerts failed")
                self._offsets.clear()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _round(self) -> None:
        if not self._offsets:
            await self._begin()
        if time.monotonic() - self._peeked_at > PEEK_SECONDS:
            self._peeked_at = time.monotonic()
            if self._offsets != self._written:
                await self._write([], self._offsets)
            await self._load()
            await self._peek()
        found = await asyncio.to_thread(self._log.read, self._offsets, most=500, wait_ms=WAIT_MS)
        if not found:
            return
        await self._load()  # after reading: an alert made before a candle closed is heard of
        reached = dict(self._offsets)
        seen: list[Observation] = []
        for message in found:
            reached[message.position] = message.offset + 1
            if self._alerts:
                try:
                    seen += observations(message.payload, self._alerts)
                except (msgspec.MsgspecError, ValueError):
                    LOG.exception("a message was passed over", topic=message.position.topic)
        fired = self._judge(seen)
        if fired:
            await self._write(fired, reached)
        self._offsets = reached

    async def _begin(self) -> None:
        """Go on where the last transaction ended; the first time at the log's end."""
        async with self._database.platform() as transaction:
            known = {
                Position(row["topic"], row["partition"]): int(row["next_offset"])
                for row in await rows(transaction, "SELECT topic, partition, next_offset FROM alert_positions")
            }
        for place in self._places:
            begin, end = await asyncio.to_thread(self._ends, place)
            self._offsets[place] = max(begin, min(known.get(place, end), end))
        self._last.clear()
        await self._load()

    def _ends(self, place: Position) -> tuple[int, int]:
        return self._log.begin(place), self._log.end(place)

    async def _load(self) -> None:
        """Read all alerts that may speak."""
        async with self._database.platform() as transaction:
            found = await rows(transaction, ACTIVE)
        by_subject: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in found:
            row["last"] = self._last.get(row["id"], row["last"])
            by_subject[row["series"], row["source"], row["name"]].append(row)
        self._alerts = dict(by_subject)

    def _judge(self, seen: list[Observation]) -> list[tuple[Row, Observation]]:
        fired = []
        for one_seen in seen:
            for alert in self._alerts.get((one_seen.series, one_seen.source, one_seen.name), ()):
                if met(alert["operator"], alert["threshold"], alert["last"], one_seen.value):
                    fired.append((alert, one_seen))
                alert["last"] = self._last[alert["id"]] = one_seen.value
        return fired

    async def _peek(self) -> None:
        """Look at forming candles for alerts on prices that speak once."""
        wanted = {
            series: [alert for alert in found if alert["repeat"] == "once"]
            for (series, source, _), found in self._alerts.items()
            if source == "price"
        }
        fired = []
        for series, alerts in wanted.items():
            found: Any = self._redis.hget(forming_key(_series(series)), "candle") if alerts else None
            row = await found if alerts else None
            if not row:
                continue
            candle = np.frombuffer(row, CANDLE)[0]
            now = Observation(series, "price", "", int(candle["opened_at"]), price(candle))
            fired += [(one, now) for one in alerts if met(one["operator"], one["threshold"], one["last"], now.value)]
        if fired:
            await self._write(fired, self._offsets)

    async def _write(self, fired: list[tuple[Row, Observation]], reached: dict[Position, int]) -> None:
        """Write events, their deliveries, last values and positions, all or nothing.

        Raises UnavailableError when another process has read further: the next round goes on where that one is.
        """
        async with self._database.platform() as transaction:
            for place in self._places:
                row = await one(
                    transaction,
                    "SELECT next_offset FROM alert_positions WHERE topic = %s AND partition = %s FOR UPDATE",
                    *place,
                )
                if row and row["next_offset"] > reached[place]:
                    raise UnavailableError("another process reads the log for alerts, too")
                await change(transaction, REACHED, *place, reached[place])
            for alert, seen in fired:
                await self._fire(transaction, alert, seen)
            for alert_id, value in self._last.items():
                await change(transaction, "UPDATE alerts SET last = %s WHERE id = %s", value, alert_id)
        self._last.clear()
        self._written = dict(reached)

    async def _fire(self, transaction: Transaction, alert: Row, seen: Observation) -> None:
        event = uuid4()
        if await one(transaction, FIRE, event, seen.opened_at, seen.value, alert["id"]) is None:
            return
        await change(transaction, SEND, event)
        if alert["repeat"] == "once":
            await change(transaction, "UPDATE alerts SET active = false WHERE id = %s", alert["id"])


def _series(text: str) -> Series:
    exchange, _, rest = text.partition(":")
    symbol, _, timeframe = rest.rpartition(".")
    return Series(exchange, Symbol.parse(symbol), Timeframe(timeframe))
