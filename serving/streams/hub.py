"""All channels with followers: asked of Redis when the first comes, given back a while after the last left."""

import asyncio

import redis.asyncio as redis
import structlog
from prometheus_client import Gauge

from infra.errors import UnavailableError
from realtime.outputs.messages import Kind
from serving.channels import Channel
from serving.series_reader import Row, SeriesReader
from serving.streams.broadcast import REMEMBERED, Broadcast, Follower, Past, Update, bottom, updates_after
from serving.streams.feed import Feed

LOG = structlog.get_logger()
LINGER_SECONDS = 10.0
READY_SECONDS = 5.0
AGAIN_SECONDS = 0.5
HISTORIES_AT_ONCE = 16  # read beside requests, which need connections, too
PATIENCE = 5  # times that a missed update is looked for
CHANNELS = Gauge("serving_channels", "Channels followed by at least one client")


class Hub:
    """The channels, and the one connection that feeds them."""

    def __init__(self, client: redis.Redis, reader: SeriesReader) -> None:
        """Read updates through a connection of its own, histories through `reader`."""
        self._reader = reader
        self._feed = Feed(client, self._receive, self._subscribed)
        self._reading = asyncio.Semaphore(HISTORIES_AT_ONCE)
        self._broadcasts: dict[bytes, Broadcast] = {}
        self._ready: dict[bytes, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: dict[bytes, asyncio.TimerHandle] = {}

    async def run(self) -> None:
        """Feed the channels until cancelled."""
        try:
            await self._feed.run()
        finally:
            for task in self._tasks:
                task.cancel()

    async def ready(self, channel: Channel) -> Broadcast:
        """Return a channel in step with Redis. Raises UnavailableError when that takes longer than READY_SECONDS."""
        name = channel.published.encode()
        if leaving := self._leaving.pop(name, None):
            leaving.cancel()
        # One reading serves all who come meanwhile: a thousand clients that come back at once ask Redis a single time.
        if name not in self._broadcasts:
            self._broadcasts[name], self._ready[name] = Broadcast(channel), asyncio.Event()
            CHANNELS.set(len(self._broadcasts))
            self._feed.subscribe(name)
        broadcast = self._broadcasts[name]
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._ready[name].wait()
        except TimeoutError:
            raise UnavailableError(f"{channel} cannot be read now: Redis does not answer") from None
        finally:
            self._part_if_empty(name)
        return broadcast

    async def past(self, channel: Channel, sequence: int) -> Past | None:
        """Read the whole history of a channel; None when not needed, because memory reaches back to `sequence`."""
        broadcast = await self.ready(channel)
        if broadcast.floor <= sequence:
            return None
        rows = await self._reader.rows(channel, channel.capacity)
        floor = bottom(rows, complete=len(rows) < channel.capacity)
        return Past(updates_after(rows, sequence), floor)

    def leave(self, broadcast: Broadcast, spelling: str, follower: Follower) -> None:
        """Remove a follower; the channel is given back LINGER_SECONDS after its last one."""
        broadcast.leave(spelling, follower)
        self._part_if_empty(broadcast.channel.published.encode())

    # Not at once: a page that is loaded again leaves and comes back, and would have the whole history read again.
    def _part_if_empty(self, name: bytes) -> None:
        if name in self._broadcasts and not self._broadcasts[name].groups and name not in self._leaving:
            self._leaving[name] = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._part, name)

    def _part(self, name: bytes) -> None:
        self._leaving.pop(name, None)
        if name in self._broadcasts and not self._broadcasts[name].groups:
            del self._broadcasts[name], self._ready[name]
            CHANNELS.set(len(self._broadcasts))
            self._feed.unsubscribe(name)

    def _receive(self, name: bytes, payload: bytes) -> None:
        broadcast = self._broadcasts.get(name)
        if broadcast and not broadcast.receive(payload):
            broadcast.synced = False
            self._start(name)

    def _subscribed(self, name: bytes) -> None:
        if name in self._broadcasts:
            self._broadcasts[name].synced = False
            self._start(name)

    def _start(self, name: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._synchronise(name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _synchronise(self, name: bytes) -> None:
        broadcast = self._broadcasts[name]
        for attempt in range(PATIENCE):
            # The engine writes a row and publishes it in one write, but a reader may come in between the two.
            limit = REMEMBERED if attempt == 0 else broadcast.channel.capacity
            history = await self._read(name, broadcast, limit)
            if history is None or broadcast.synced:
                return
            rows, forming = history
            if broadcast.synchronise(rows, forming, complete=len(rows) < limit):
                self._ready[name].set()
                return
            await asyncio.sleep(0.02 * 2**attempt)
        LOG.warning("updates are missing from the history", channel=str(broadcast.channel))
        broadcast.give_up()
        self._ready[name].set()

    async def _read(self, name: bytes, broadcast: Broadcast, limit: int) -> tuple[list[Row], Update | None] | None:
        """Read the newest rows and the forming one; None where a later subscription reads them, or none needs them.

        A lost connection of the feed subscribes again, which starts another reading. A single answer that fails while
        the feed stands (a timeout, a busy Redis) starts none: without another try the channel would never be ready.
        """
        while self._broadcasts.get(name) is broadcast:
            try:
                async with self._reading:
                    rows = await self._reader.rows(broadcast.channel, limit)
                    unfinished = await self._reader.forming(broadcast.channel)
            except UnavailableError:
                if not self._feed.connected:
                    return None
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            last = max((row.sequence for row in rows), default=0)
            forming = Update(Kind.FORMING, last, unfinished.opened_at, 0, unfinished.document) if unfinished else None
            return rows, forming
        return None
