"""`signals.{userId}`: the signals that one user has subscribed to, of many series under one name."""

import asyncio
import re
from uuid import UUID

import msgspec
import structlog

from infra.errors import UnavailableError
from ingestion.market import Series
from serving.channels import Channel, Topic
from serving.series_reader import SeriesReader
from serving.streams.broadcast import Broadcast, Follower
from serving.streams.frames import text_frame
from serving.streams.hub import Hub

LOG = structlog.get_logger()
_NAME = re.compile(r"signals\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


def owner(spelling: str) -> UUID | None:
    """Return whose personal channel a name is, or None for any other channel.

    >>> owner("signals.0b0e8a52-5a0c-4b0c-9a3e-0d4f3c1f6a11"), owner("signals.BTCUSDT")
    (UUID('0b0e8a52-5a0c-4b0c-9a3e-0d4f3c1f6a11'), None)
    """
    match = _NAME.fullmatch(spelling)
    return UUID(match[1]) if match else None


class Personal:
    """One follower's personal channel: follows every series that the user has subscribed to."""

    def __init__(self, hub: Hub, reader: SeriesReader, spelling: str, follower: Follower) -> None:
        """Follow no series before `start`."""
        self._hub, self._reader = hub, reader
        self.spelling, self._follower = spelling, follower
        self._followed: dict[Series, Broadcast] = {}
        self._series: frozenset[Series] = frozenset()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def snapshot(self) -> bytes:
        """Build the frame of the newest signal of every subscribed series."""
        names = {str(series) for series in self._series}
        latest = await self._reader.latest_signals() if names else {}
        rows = sorted(document for name, document in latest.items() if name in names)
        params = {
            "channel": self.spelling,
            "kind": "snapshot",
            "sequence": 0,
            "data": [msgspec.Raw(row) for row in rows],
        }
        return text_frame(msgspec.json.encode({"jsonrpc": "2.0", "method": "update", "params": params}))

    async def start(self, series: frozenset[Series]) -> None:
        """Follow these series; return once they are followed. Raises UnavailableError."""
        self.wants(series)
        if self._task:
            await self._task
        if self._series - self._followed.keys():
            raise UnavailableError(f"{self.spelling} cannot be read now: Redis does not answer")

    def wants(self, series: frozenset[Series]) -> None:
        """Follow these series, and no others, from soon on."""
        for gone in self._followed.keys() - series:
            self._hub.leave(self._followed.pop(gone), self.spelling, self._follower)
        self._series = series
        if series - self._followed.keys() and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        try:
            while missing := self._series - self._followed.keys():
                series = min(missing, key=str)
                broadcast = await self._hub.ready(Channel(Topic.SIGNALS, series))
                # The client may have gone, or want other series, while Redis was asked.
                if not self._closed and series in self._series:
                    broadcast.follow(self.spelling, self._follower)
                    self._followed[series] = broadcast
        except UnavailableError as error:  # tried again at the next check of identities
            LOG.warning("a personal channel waits", error=str(error))

    def close(self) -> None:
        """Follow nothing any more, from now on."""
        self._closed = True
        self._series = frozenset()
        if self._task:
            self._task.cancel()
        for broadcast in self._followed.values():
            self._hub.leave(broadcast, self.spelling, self._follower)
        self._followed.clear()
