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
from serving.accounts.database import Database, Row, Transaction, change, first_row, rows
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
    """Reads the log of closed candles, and holds the active alerts by what they are about."""

    def __init__(self, database: Database, log: EventLog, client: redis.Redis, partitions: int) -> None:
        """Follow all partitions of the topics; `run` begins to read."""
        self._database, self._log, self._redis = database, log, client
        self._places = [Position(topic, number) for topic in TOPICS for number in range(partitions)]
        self._offsets: dict[Position, int] = {}
        self._alerts: dict[tuple[str, str, str], list[Row]] = {}
        self._last: dict[UUID, float] = {}
        self._committed: dict[Position, int] = {}  # positions of the last transaction
        self._peeked_at = 0.0

    async def run(self) -> None:
        """Work until cancelled, and wait while the log, Redis or PostgreSQL is away."""
        reason = ""  # logged once, not every second that it lasts
        while True:
            try:
                await self._round()
                reason = ""
            except (PlatformError, RedisError) as error:
                if str(error) != reason:
                    LOG.warning("alerts wait", error=str(error))
                reason = str(error)
                self._offsets.clear()
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:  # a mistake of ours must not end all alerts
                LOG.exception("alerts failed")
                self._offsets.clear()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _round(self) -> None:
        if not self._offsets:
            await self._begin()
        if time.monotonic() - self._peeked_at > PEEK_SECONDS:
            self._peeked_at = time.monotonic()
            if self._offsets != self._committed:
                await self._write([], self._offsets)
            await self._load()
            await self._peek()
        messages = await asyncio.to_thread(self._log.read, self._offsets, most=500, wait_ms=WAIT_MS)
        if not messages:
            return
        await self._load()  # after reading: an alert made before a candle closed is heard of
        reached = dict(self._offsets)
        closes: list[Observation] = []
        for message in messages:
            reached[message.position] = message.offset + 1
            if self._alerts:
                try:
                    closes += observations(message.payload, self._alerts)
                except (msgspec.MsgspecError, ValueError):
                    LOG.exception("a message was passed over", topic=message.position.topic)
        fired = self._judge(closes)
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
            active = await rows(transaction, ACTIVE)
        by_subject: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
        for row in active:
            row["last"] = self._last.get(row["id"], row["last"])
            by_subject[row["series"], row["source"], row["name"]].append(row)
        self._alerts = dict(by_subject)

    def _judge(self, closes: list[Observation]) -> list[tuple[Row, Observation]]:
        fired = []
        for close in closes:
            for alert in self._alerts.get((close.series, close.source, close.name), ()):
                if met(alert["operator"], alert["threshold"], alert["last"], close.value):
                    fired.append((alert, close))
                alert["last"] = self._last[alert["id"]] = close.value
        return fired

    async def _peek(self) -> None:
        """Look at forming candles for alerts on prices that speak once."""
        by_series = {
            series: [alert for alert in alerts if alert["repeat"] == "once"]
            for (series, source, _), alerts in self._alerts.items()
            if source == "price"
        }
        fired = []
        for series, alerts in by_series.items():
            answer: Any = self._redis.hget(forming_key(_series(series)), "candle") if alerts else None
            row = await answer if alerts else None
            if not row:
                continue
            candle = np.frombuffer(row, CANDLE)[0]
            now = Observation(series, "price", "", int(candle["opened_at"]), price(candle))
            fired += [
                (alert, now) for alert in alerts if met(alert["operator"], alert["threshold"], alert["last"], now.value)
            ]
        if fired:
            await self._write(fired, self._offsets)

    async def _write(self, fired: list[tuple[Row, Observation]], reached: dict[Position, int]) -> None:
        """Write events, their deliveries, last values and positions, all or nothing.

        Raises UnavailableError when another process has read further: the next round goes on where that one is.
        """
        async with self._database.platform() as transaction:
            for place in self._places:
                row = await first_row(
                    transaction,
                    "SELECT next_offset FROM alert_positions WHERE topic = %s AND partition = %s FOR UPDATE",
                    *place,
                )
                if row and row["next_offset"] > reached[place]:
                    raise UnavailableError("another process reads the log for alerts, too")
                await change(transaction, REACHED, *place, reached[place])
            for alert, observation in fired:
                await self._fire(transaction, alert, observation)
            for alert_id, value in self._last.items():
                await change(transaction, "UPDATE alerts SET last = %s WHERE id = %s", value, alert_id)
        self._last.clear()
        self._committed = dict(reached)

    async def _fire(self, transaction: Transaction, alert: Row, observation: Observation) -> None:
        event = uuid4()
        if await first_row(transaction, FIRE, event, observation.opened_at, observation.value, alert["id"]) is None:
            return
        await change(transaction, SEND, event)
        if alert["repeat"] == "once":
            await change(transaction, "UPDATE alerts SET active = false WHERE id = %s", alert["id"])


def _series(text: str) -> Series:
    exchange, _, rest = text.partition(":")
    symbol, _, timeframe = rest.rpartition(".")
    return Series(exchange, Symbol.parse(symbol), Timeframe(timeframe))
