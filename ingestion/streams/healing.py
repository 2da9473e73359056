"""Gaps in trades: waited for briefly, then fetched by REST; what no exchange can give any more is recorded as lost."""

import asyncio
from collections.abc import Coroutine

import numpy as np
import structlog

from infra import clock
from infra.errors import InputError, UnavailableError
from ingestion import metrics
from ingestion.market import TRADE, TradeFlag
from ingestion.messages import Rows
from ingestion.streams.feed import Feed
from ingestion.streams.flow import Flow
from ingestion.streams.rest import RestClient
from ingestion.streams.sequence import DenseIds, Hole, LooseIds

REORDER_SECONDS = 0.25
"""Frames that come out of order fill a hole by themselves within this time."""
QUIET_SECONDS = 2.0
"""A symbol that has not traded for so long after a reconnect is asked for by REST; ids tell of the others' gaps."""
GIVE_UP_SECONDS = 600.0
"""After so long a late trade would not be taken into its candle anyway."""
OLD = 10 * clock.MINUTE
MISSING_IDS, NO_CONNECTION, SILENT = "trade ids are missing", "the connection was lost", "the stream was silent"


class Healer:
    """Heals the gaps of one exchange."""

    def __init__(self, rest: RestClient) -> None:
        """Use this REST client: all of its budget for the minute we come in, half of it to heal."""
        self._full_rest, self._rest = rest, rest.healing()
        self.feed: Feed  # set by the service: feed and healer know each other
        self._tasks: set[asyncio.Task[None]] = set()

    def on_hole(self, flow: Flow, hole: Hole) -> None:
        """Begin to heal a gap that ids revealed."""
        self._start(self._heal_ids(flow, hole, recorded=False))

    def resume(self, flow: Flow) -> None:
        """Go on with what an earlier process left: gaps it recorded, gaps it did not, and the time since it ended."""
        for hole in flow.open_gaps:
            dense = isinstance(flow.ids, DenseIds)
            self._start(self._heal_ids(flow, hole, recorded=True) if dense else self._heal_times(flow, hole))
        for hole in flow.new_gaps:
            self.on_hole(flow, hole)
        flow.open_gaps, flow.new_gaps = [], []

    def broken(self, flow: Flow) -> None:
        """Record, before trades flow again, that some may be missing since the last one; dense ids tell by themselves.

        A process that is killed while it asks for them leaves the record to the next one.
        """
        # On record first: once newer trades are in the log, ids without order no longer show that any are missing, and
        # whoever reads the log after a kill would take these minutes for complete.
        since = flow.ids.last_at or max((int(rows["traded_at"].max()) for rows in flow.backlog or ()), default=0)
        if since and flow.broken is None and isinstance(flow.ids, LooseIds):
            flow.broken = Hole(0, 0, since, clock.now())
            self.feed.gap(flow, "open", flow.broken, NO_CONNECTION)

    def reconnected(self, flow: Flow) -> None:
        """Fetch what may have been missed since the last known trade."""
        if flow.backlog is not None:  # the warm-up fetches the begun minute anyway, and calls again
            return
        if isinstance(flow.ids, DenseIds):
            self._start(self._ask_quiet(flow, flow.ids))
        elif flow.broken is not None:
            self._start(self._heal_times(flow, flow.broken))
            flow.broken = None

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _heal_ids(self, flow: Flow, hole: Hole, *, recorded: bool) -> None:
        ids = flow.ids
        if not isinstance(ids, DenseIds):
            raise TypeError(type(ids))
        await asyncio.sleep(REORDER_SECONDS)
        if not recorded:
            if not ids.missing(hole):
                return
            self.feed.gap(flow, "open", hole, MISSING_IDS)
        began, pause = clock.now(), 0.5
        # Candles of older gaps are closed for good: REST would page through hours of trades that nothing takes.
        reachable = self.feed.clock - hole.to_at < OLD
        while reachable and ids.missing(hole) and clock.now() - began < GIVE_UP_SECONDS * clock.SECOND:
            # From the first id that is still missing: live frames, or a page for another gap, may have filled some.
            after = next(gap.first_id for gap in ids.holes if gap.overlaps(hole)) - 1
            rows = await self.fetch(flow, after_id=after, since=hole.from_at, until_id=hole.last_id)
            if rows is not None:
                inside = bool(((rows["id_low"] >= hole.first_id) & (rows["id_low"] <= hole.last_id)).any())
                self.take(flow, rows[ids.unknown(rows)])  # of other gaps, too: one page may heal several
                if len(rows) and not inside and int(rows["id_low"].min()) > hole.last_id:
                    break  # the exchange no longer has them
                if inside:
                    continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, 15.0)
        self.feed.gap(flow, "lost" if ids.missing(hole) else "healed", hole, MISSING_IDS)

    async def _ask_quiet(self, flow: Flow, ids: DenseIds) -> None:
        # The next trade's id will name what was missed; a symbol that does not trade again has no next id.
        high, at = ids.high, ids.last_at
        await asyncio.sleep(QUIET_SECONDS)
        if ids.high == high:
            rows = await self.fetch(flow, after_id=high, since=at)
            if rows is not None:
                self.take(flow, rows[rows["id_low"] > high])

    async def _heal_times(self, flow: Flow, hole: Hole) -> None:
        """Where ids have no order: fetch what the exchange still gives; whole if that reaches back to the gap."""
        ids, rows = flow.ids, None
        if not isinstance(ids, LooseIds):
            raise TypeError(type(ids))
        while rows is None and clock.now() - hole.to_at < GIVE_UP_SECONDS * clock.SECOND:
            rows = await self.fetch(flow, after_id=0, since=0)
            if rows is None:
                await asyncio.sleep(2.0)
        if rows is None or not len(rows):
            self.feed.gap(flow, "lost", hole, NO_CONNECTION)
            return
        oldest, following = int(rows["traded_at"].min()), ids.first_after(hole.to_at)
        self.take(flow, rows[(rows["traded_at"] >= hole.from_at) & ids.unknown(rows)])
        # Healed only if the page reaches back to a trade from before the gap: else what lies between is unknown.
        self.feed.gap(flow, "healed" if oldest <= hole.from_at else "lost", hole, NO_CONNECTION)
        until = min(oldest, following or oldest)
        if until > hole.to_at:  # trades came back later than the gap was recorded
            self.feed.gap(flow, "lost", hole._replace(from_at=hole.to_at, to_at=until), NO_CONNECTION)

    def caught_up(self, flow: Flow, rows: Rows, since: int) -> None:
        """Take what REST gave of a silent stream; where ids have no order, what it no longer reaches is lost."""
        newer = rows[rows["traded_at"] >= since]
        if since and isinstance(flow.ids, LooseIds) and not (rows["traded_at"] <= since).any():
            self.feed.gap(flow, "lost", Hole(0, 0, since, int(rows["traded_at"].min())), SILENT)
        self.take(flow, newer)

    def take(self, flow: Flow, rows: Rows) -> None:
        """Give trades that came by REST to the feed."""
        if len(rows):
            metrics.HEALED.labels(self.feed.exchange.name).inc(len(rows))
            self.feed.take(flow, healed(rows))

    async def fetch(
        self, flow: Flow, *, after_id: int, since: int, until_id: int = 0, rest: RestClient | None = None
    ) -> Rows | None:
        """Fetch trades; None if the exchange does not answer."""
        ask, rest = self.feed.exchange.trades, rest or self._rest
        try:
            return await ask(rest, flow.instrument, after_id=after_id, since=since, until_id=until_id)
        except (UnavailableError, InputError, KeyError, ValueError, TypeError) as error:
            structlog.get_logger().warning("trades could not be fetched", symbol=flow.name, reason=str(error)[:200])
            return None

    async def since(self, flow: Flow, at: int) -> Rows:
        """Fetch trades since a time, for a minute that had begun before we came; none if that fails."""
        rows = await self.fetch(flow, after_id=0, since=at, rest=self._full_rest)
        return np.empty(0, TRADE) if rows is None else healed(rows)


def healed(rows: Rows) -> Rows:
    """Mark trades that came by REST, with now as their time of receipt."""
    marked = rows.copy()
    marked["flags"] |= np.uint8(TradeFlag.HEALED)
    marked["received_at"] = clock.now()
    return marked
