"""Gaps in trades: waited for briefly, then fetched by REST; what no exchange can give any more is recorded as lost."""

import asyncio
from collections.abc import Coroutine

import structlog

from infra import clock
from infra.errors import InputError, UnavailableError
from ingestion import metrics
from ingestion.exchanges.exchange import Rest
from ingestion.market import TRADE
from ingestion.messages import Rows
from ingestion.streams.feed import Feed, healed
from ingestion.streams.flow import Flow
from ingestion.streams.sequence import DenseIds, Hole

import numpy as np  # isort: skip

REORDER_SECONDS = 0.25
"""Frames that come out of order fill a hole by themselves within this time."""
GIVE_UP_SECONDS = 600.0
"""After so long a late trade would not be taken into its candle anyway."""
OLD = 10 * clock.MINUTE


class Healer:
    """Heals the gaps of one exchange."""

    def __init__(self, rest: Rest) -> None:
        """Use this REST client."""
        self._rest = rest
        self.feed: Feed  # set by the service: feed and healer know each other
        self._tasks: set[asyncio.Task[None]] = set()

    def on_hole(self, flow: Flow, hole: Hole) -> None:
        """Record a gap that ids revealed, and begin to heal it."""
        self.feed.gap(flow, "open", hole, "trade ids are missing")
        if clock.now() - hole.from_at > OLD and hole.from_at:
            self.feed.gap(flow, "lost", hole, "older than the ten minutes in which a candle is revised")
            return
        self._start(self._heal_ids(flow, hole))

    def reconnected(self, flow: Flow, since: int) -> None:
        """Fetch what may have been missed where ids have no order, from the last known trade on."""
        if not isinstance(flow.ids, DenseIds) and flow.held is None and since:
            self._start(self._heal_times(flow, since))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _heal_ids(self, flow: Flow, hole: Hole) -> None:
        ids = flow.ids
        if not isinstance(ids, DenseIds):
            raise TypeError(type(ids))
        await asyncio.sleep(REORDER_SECONDS)
        began, pause = clock.now(), 0.5
        while ids.missing(hole) and clock.now() - began < GIVE_UP_SECONDS * clock.SECOND:
            after = next(h.first_id for h in ids.holes if h.last_id >= hole.first_id) - 1
            rows = await self.fetch(flow, after_id=after, since=hole.from_at)
            if rows is not None:
                inside = rows[(rows["id_low"] >= hole.first_id) & (rows["id_low"] <= hole.last_id)]
                self._take(flow, inside)
                if len(rows) and not len(inside) and int(rows["id_low"].min()) > hole.last_id:
                    break  # the exchange no longer has them
            if ids.missing(hole):
                await asyncio.sleep(pause)
                pause = min(pause * 2, 15.0)
        self.feed.gap(flow, "lost" if ids.missing(hole) else "healed", hole, "trade ids are missing")

    async def _heal_times(self, flow: Flow, since: int) -> None:
        hole = Hole(0, 0, since, clock.now())
        self.feed.gap(flow, "open", hole, "the connection was lost")
        rows = None
        while rows is None and clock.now() - hole.to_at < GIVE_UP_SECONDS * clock.SECOND:
            rows = await self.fetch(flow, after_id=0, since=0)
            if rows is None:
                await asyncio.sleep(2.0)
        whole = rows is not None and len(rows) > 0 and int(rows["traded_at"].min()) <= since
        if rows is not None:
            self._take(flow, rows[rows["traded_at"] >= since])
        self.feed.gap(flow, "healed" if whole else "lost", hole, "the connection was lost")

    def _take(self, flow: Flow, rows: Rows) -> None:
        metrics.HEALED.labels(self.feed.exchange.name).inc(len(rows))
        if len(rows):
            self.feed.take(flow, healed(rows))

    async def fetch(self, flow: Flow, *, after_id: int, since: int) -> Rows | None:
        """Fetch trades; None if the exchange does not answer."""
        try:
            return await self.feed.exchange.trades(self._rest, flow.instrument, after_id=after_id, since=since)
        except (UnavailableError, InputError, KeyError, ValueError, TypeError) as error:
            structlog.get_logger().warning("trades could not be fetched", symbol=flow.name, reason=str(error)[:200])
            return None

    async def since(self, flow: Flow, at: int) -> Rows:
        """Fetch trades since a time, for a minute that had begun before we came; none if that fails."""
        rows = await self.fetch(flow, after_id=0, since=at)
        return np.empty(0, TRADE) if rows is None else healed(rows)
