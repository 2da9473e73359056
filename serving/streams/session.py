"""What one client may ask: the methods of the WebSocket, its subscriptions and its limits.

Messages of one client are answered in order. A subscription's first update comes after the response that grants it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from infra.clock import now
from infra.errors import UnavailableError
from ingestion.market import Series
from serving.accounts import policy
from serving.accounts.policy import Identity
from serving.channels import Channel
from serving.series_reader import SeriesReader
from serving.streams import params, rpc
from serving.streams.badges import Badges
from serving.streams.broadcast import Broadcast, Follower, Past
from serving.streams.frames import text_frame
from serving.streams.hub import Hub
from serving.streams.outbox import Outbox
from serving.streams.params import Authentication, Named, Nothing, Subscription
from serving.streams.personal import Personal, owner

LOG = structlog.get_logger()
CHANNELS_PER_CLIENT = 128


Starts = list[Callable[[], Awaitable[None]]]
METHODS = tuple(method for where, method in policy.RULES if where == policy.SOCKET and "." not in method)
CROWD = 8  # messages of one client that wait to be answered; beyond that nothing more is read


class Session:
    """The conversation with one client, whose frames go to `outbox`."""

    def __init__(
        self,
        hub: Hub,
        reader: SeriesReader,
        outbox: Outbox,
        follower: Follower,
        listen: Callable[[bool], None],
        badges: Badges,
    ) -> None:
        """Start without subscriptions; `listen` stops and goes on with reading from this client."""
        self._listen = listen
        self._hub, self._reader, self._outbox, self._follower = hub, reader, outbox, follower
        self._followed: dict[str, Broadcast] = {}
        self._inbox: deque[bytes] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._badges = badges
        self._personal: Personal | None = None
        self.identity: Identity | None = None

    def receive(self, text: bytes) -> None:
        """Take one message; it is answered after those before it."""
        self._inbox.append(text)
        if len(self._inbox) == CROWD:
            self._listen(False)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())

    def close(self) -> None:
        """End all subscriptions and drop unanswered messages: the client has gone."""
        self._closed = True
        self._badges.leave(self)
        if self._personal:
            self._personal.close()
        self._inbox.clear()
        if self._worker:
            self._worker.cancel()
        for spelling, broadcast in self._followed.items():
            self._hub.leave(broadcast, spelling, self._follower)
        self._followed.clear()

    def revoke(self, why: str) -> None:
        """Take the identity away: the personal channel ends, and the client is told why."""
        gone, self._personal, self.identity = self._personal, None, None
        if gone:
            gone.close()
            self._outbox.withdraw(gone.spelling)
            self._notify("revoked", channels=[gone.spelling], reason=why)

    def wants(self, series: frozenset[Series]) -> None:
        """Follow the signals of these series, if the personal channel is subscribed."""
        if self._personal:
            self._personal.wants(series)

    def alert(self, event: dict[str, object]) -> None:
        """Send the event of an alert, if the personal channel is subscribed."""
        if self._personal:
            self._notify("update", channel=self._personal.spelling, kind="alert", sequence=0, data=event)

    def _notify(self, method: str, **members: Any) -> None:
        self._outbox.send(text_frame(rpc.notification(method, members)))

    async def _work(self) -> None:
        while self._inbox:
            await self._answer(self._inbox.popleft())
            if len(self._inbox) < CROWD:
                self._listen(True)

    async def _answer(self, text: bytes) -> None:
        batch = rpc.read(text)
        starts: Starts = []
        responses = [response for part in batch.parts if (response := await self._respond(part, starts)) is not None]
        if responses:
            body = responses[0] if batch.single else b"[" + b",".join(responses) + b"]"
            self._outbox.send(text_frame(body))
        await self._outbox.drained()
        for start in starts:
            await start()
            await self._outbox.drained()

    async def _respond(self, part: rpc.Call | rpc.RpcError, starts: Starts) -> bytes | None:
        if isinstance(part, rpc.RpcError):
            return rpc.error(part)
        try:
            response = rpc.result(part, await self._call(part, starts))
        except rpc.RpcError as problem:
            response = rpc.error(problem, part)
        except UnavailableError as problem:
            response = rpc.error(rpc.RpcError(rpc.UNAVAILABLE, str(problem)), part)
        except Exception:  # the client is told, the operator reads why
            LOG.exception("a call failed", method=part.method)
            response = rpc.error(rpc.RpcError(rpc.INTERNAL_ERROR, "Internal error"), part)
        return None if part.notification else response

    async def _call(self, call: rpc.Call, starts: Starts) -> object:
        if call.method not in METHODS:
            why = f"Method not found: {call.method[:64]!r}; there are {', '.join(METHODS)}"
            raise rpc.RpcError(rpc.METHOD_NOT_FOUND, why)
        match call.method:
            case "subscribe":
                return await self._subscribe(params.read(call, Subscription), starts)
            case "unsubscribe":
                return self._unsubscribe(params.read(call, Named))
            case "list" | "subscriptions":
                params.read(call, Nothing)
                followed = [{"channel": s, "sequence": b.sequence} for s, b in self._followed.items()]
                personal = [{"channel": self._personal.spelling, "sequence": 0}] if self._personal else []
                return {"channels": followed + personal}
            case "authenticate":
                who = await self._badges.show(self, params.read(call, Authentication).token)
                return {"user": str(who.user), "expires_at": int(who.expires_at) * 1_000_000}
            case "ping":
                params.read(call, Nothing)
                return {"pong": now()}
        raise AssertionError(f"the policy lists {call.method}, which has no answer here")

    async def _subscribe(self, request: Subscription, starts: Starts) -> object:
        personal = [spelling for spelling in dict.fromkeys(request.channels) if owner(spelling)]
        for spelling in personal:
            self._must_own(spelling)
        channels = {spelling: params.channel(spelling) for spelling in request.channels if spelling not in personal}
        await self._must_exist(channels)
        await asyncio.gather(*(self._hub.ready(channel) for channel in channels.values()))
        grants = [self._grant_personal(spelling, request, starts) for spelling in personal]
        for spelling, channel in channels.items():
            grants.append(await self._grant(spelling, channel, request.last(spelling), starts))
        return {"subscribed": grants, "simulated": (await self._reader.engine()).simulated}

    async def _must_exist(self, channels: dict[str, Channel]) -> None:
        if len(self._followed.keys() | channels.keys()) > CHANNELS_PER_CLIENT:
            why = f"at most {CHANNELS_PER_CLIENT} channels per connection; {len(self._followed)} are subscribed"
            raise rpc.RpcError(rpc.TOO_MANY_CHANNELS, why)
        for spelling, channel in channels.items():
            if not await self._reader.knows(channel.series):
                raise rpc.RpcError(rpc.UNKNOWN_CHANNEL, f"{spelling}: nothing is published for {channel.series}")

    def _grant_personal(self, spelling: str, request: Subscription, starts: Starts) -> dict[str, object]:
        starts.append(self._start_personal(spelling))
        recovered = {} if request.resume_from is None else {"recovered": False}  # a personal channel numbers nothing
        return {"channel": spelling, "sequence": 0} | recovered

    async def _grant(self, spelling: str, channel: Channel, last: int | None, starts: Starts) -> dict[str, object]:
        past = None if last is None else await self._hub.past(channel, last)
        broadcast = await self._hub.ready(channel)
        starts.append(self._start(spelling, channel, last, past))
        grant: dict[str, object] = {"channel": spelling, "sequence": broadcast.sequence}
        if last is not None:
            grant["recovered"] = broadcast.since(spelling, last, past) is not None
        return grant

    def _must_own(self, spelling: str) -> None:
        if self.identity is None:
            raise rpc.RpcError(rpc.UNAUTHORISED, f"{spelling} is private: call authenticate with an access token first")
        if self.identity.user != owner(spelling):
            raise rpc.RpcError(rpc.FORBIDDEN, f"{spelling} belongs to somebody else")

    def _start_personal(self, spelling: str) -> Callable[[], Awaitable[None]]:
        async def start() -> None:
            if self._personal or self.identity is None or self.identity.user != owner(spelling):
                return  # subscribed already, or revoked since
            self._personal = mine = Personal(self._hub, self._reader, spelling, self._follower)
            try:
                await mine.start(await self._badges.series(self.identity.user))
                frame = await mine.snapshot()
            except UnavailableError as problem:
                frame = text_frame(rpc.error(rpc.RpcError(rpc.UNAVAILABLE, f"{problem}; subscribe again")))
                self._personal = None
                mine.close()
            if self._personal is mine or self._personal is None:
                self._outbox.send(frame)

        return start

    def _start(
        self, spelling: str, channel: Channel, last: int | None, past: Past | None
    ) -> Callable[[], Awaitable[None]]:
        async def start() -> None:
            try:
                broadcast = await self._hub.ready(channel)  # a slow client may come to this long after it was granted
            except UnavailableError as problem:
                self._outbox.send(text_frame(rpc.error(rpc.RpcError(rpc.UNAVAILABLE, f"{problem}; subscribe again"))))
                return
            missed = None if last is None else broadcast.since(spelling, last, past)
            if missed is None:
                missed = [broadcast.snapshot(spelling, recovered=None if last is None else False)]
            for frame in missed:
                self._outbox.send(frame)
            broadcast.follow(spelling, self._follower)
            self._followed[spelling] = broadcast

        return start

    def _unsubscribe(self, request: Named) -> object:
        gone = [spelling for spelling in dict.fromkeys(request.channels) if spelling in self._followed]
        for spelling in gone:
            self._outbox.withdraw(spelling)
            self._hub.leave(self._followed.pop(spelling), spelling, self._follower)
        if self._personal and self._personal.spelling in request.channels:
            self._personal.close()
            gone.append(self._personal.spelling)
            self._personal = None
        return {"unsubscribed": gone}
