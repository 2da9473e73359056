"""Subscriptions that share a connection, whichever is up: connect, subscribe, ping, notice silence, replace it in time.

It begins again after whatever fault: only cancelling ends it.
"""

import asyncio
from collections.abc import Sequence

import structlog

from infra import clock
from infra.errors import UnavailableError
from ingestion import metrics
from ingestion.exchange import Channel, Decoded, Subscription
from ingestion.streams import plan
from ingestion.streams.backoff import Backoff
from ingestion.streams.connection import Connection, connect
from ingestion.streams.feed import Feed
from ingestion.streams.flow import Flow
from ingestion.streams.healing import Healer
from ingestion.streams.limiter import Bucket

ACK_SECONDS = 10.0
OVERLAP_SECONDS = 6.0
REPLACE_PART = 23.5 / 24
"""Part of an exchange's connection lifetime after which we replace a connection ourselves."""
TICK_SECONDS = 1.0
RETRY_SECONDS = 60.0
"""Between attempts to replace a connection that still works."""


class SubscriptionGroup:
    """One group of subscriptions that share a connection; `up` while the exchange serves them."""

    numbers = iter(range(1, 1 << 31))

    def __init__(
        self, feed: Feed, healer: Healer, url: str, subscriptions: Sequence[Subscription], connects: Bucket
    ) -> None:
        """Keep these subscriptions flowing; `connects` is the exchange's budget of new connections."""
        self._feed, self._healer, self._url, self._subscriptions = feed, healer, url, subscriptions
        self._connects = connects
        self._backoff = Backoff()
        self._perpetual = subscriptions[0].instrument.symbol.perpetual
        self._requests = 0
        self._acts: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self.up = False

    async def run(self) -> None:
        """Connect again and again until cancelled."""
        name = self._feed.exchange.name
        current: Connection | None = None
        try:
            while True:
                try:
                    current = await self._open()
                    self.up = True
                    metrics.CONNECTED.labels(name).inc()
                    current = await self._watch(current)
                except UnavailableError as error:
                    structlog.get_logger().warning("no connection", exchange=name, reason=str(error)[:300])
                if self.up:
                    self.up = False
                    metrics.CONNECTED.labels(name).dec()
                metrics.RECONNECTS.labels(name).inc()
                await asyncio.sleep(self._backoff.delay())
        finally:
            if current is not None:
                current.close()

    async def _open(self, *, instead: bool = False) -> Connection:
        """Connect and subscribe; nothing is missed where it is `instead` of one still open. Raises UnavailableError."""
        # One budget for all groups of the exchange: after an outage they all come back at once, and exchanges ban
        # addresses that connect too often.
        await self._connects.take()
        exchange = self._feed.exchange
        # The gap goes on record before the first new trade can flow: a process killed in between leaves the record, and
        # its successor heals what would otherwise look complete.
        for flow in self._flows():
            if not instead:
                self._healer.broken(flow)
        connection = await connect(self._url, next(self.numbers), self._received, exchange.limits.frame_bytes)
        self._feed.listeners[connection.number] = self._answered
        try:
            await self._subscribe(connection, self._subscriptions)
        except UnavailableError:
            self._forget(connection)
            raise
        for flow, channel in self._streams():
            flow.begin([channel], clock.now())
        for flow in self._flows():
            if not instead:
                self._healer.reconnected(flow)
        return connection

    def _streams(self) -> list[tuple[Flow, Channel]]:
        keys = [((self._perpetual, s.instrument.exchange_symbol), s.channel) for s in self._subscriptions]
        return [(self._feed.flows[key], channel) for key, channel in sorted(keys) if key in self._feed.flows]

    def _flows(self) -> list[Flow]:
        return [flow for flow, channel in self._streams() if channel is Channel.TRADES]

    async def _subscribe(self, connection: Connection, subscriptions: Sequence[Subscription]) -> None:
        exchange, bucket = self._feed.exchange, Bucket(self._feed.exchange.limits.messages_per_second, 1.0)
        for part in plan.batches(subscriptions, exchange.limits.streams_per_message):
            await bucket.take()
            self._requests += 1
            answer = asyncio.get_running_loop().create_future()
            self._waiting[str(self._requests)] = answer
            connection.send(exchange.subscribe(part, self._requests))
            try:
                await asyncio.wait_for(answer, ACK_SECONDS)
            except TimeoutError as error:
                raise UnavailableError(f"{self._url}: no answer to a subscription in {ACK_SECONDS:g} s") from error
            finally:
                self._waiting.pop(str(self._requests), None)

    def _received(self, connection: Connection, frames: list[bytes], times: list[int]) -> None:
        self._feed.receive(connection, frames, times, perpetual=self._perpetual)

    def _answered(self, decoded: Decoded) -> None:
        """Settle requests; data that flows ends the run of failures."""
        # Trades, not a handshake: an exchange that accepts and cuts at once would be asked twice a second all day.
        if len(decoded.trades):
            self._backoff.flowed()
        for identity in decoded.acknowledged:
            if (future := self._waiting.get(identity)) is not None and not future.done():
                future.set_result(None)
        for identity, reason in decoded.refused:
            structlog.get_logger().error("refused by the exchange", exchange=self._feed.exchange.name, reason=reason)
            if (future := self._waiting.get(identity)) is not None and not future.done():
                future.set_result(None)  # one unknown symbol must not take the others down
        for notice in decoded.notices:
            structlog.get_logger().warning("notice", exchange=self._feed.exchange.name, notice=notice)

    async def _watch(self, connection: Connection) -> Connection:
        """Ping and watch until the connection ends or is dead; replace it before its lifetime ends."""
        exchange, pinged, again = self._feed.exchange, clock.now(), 0.0
        lifetime = (exchange.limits.lifetime_seconds or 1e9) * REPLACE_PART
        closed = asyncio.ensure_future(connection.closed())
        try:
            while not closed.done():
                await asyncio.wait([closed], timeout=TICK_SECONDS)
                now = clock.now()
                if exchange.ping is not None and now - pinged > exchange.ping_seconds * clock.SECOND:
                    connection.send(exchange.ping)
                    pinged = now
                # A half-open connection ends with no FIN: TCP itself would wait for hours.
                if now - connection.last_frame_at > exchange.server_silence_seconds * clock.SECOND:
                    structlog.get_logger().warning("the connection is silent", exchange=exchange.name)
                    connection.close()
                    break
                self._look_for_stalls(connection, now)
                if now - connection.opened_at > lifetime * clock.SECOND and now > again:
                    fresh = await self._replaced(connection)
                    again = clock.now() + RETRY_SECONDS * clock.SECOND
                    if fresh is not connection:
                        closed.cancel()
                        connection, closed = fresh, asyncio.ensure_future(fresh.closed())
        finally:
            closed.cancel()
            self._forget(connection)
        return connection

    async def _replaced(self, connection: Connection) -> Connection:
        """Make before break: a second connection takes over once both have run side by side for a while."""
        try:
            fresh = await self._open(instead=True)
        except UnavailableError as error:
            structlog.get_logger().warning("no new connection yet, the old one stays", reason=str(error)[:300])
            return connection
        # Both give the same trades meanwhile, and ids drop the second copy; a cut first would be a gap at each
        # replacement, on all symbols.
        await asyncio.sleep(OVERLAP_SECONDS)
        self._forget(connection)
        metrics.REPLACED.labels(self._feed.exchange.name).inc()
        return fresh

    def _look_for_stalls(self, connection: Connection, now: int) -> None:
        """Act on streams that fell silent, each in its own task: one slow answer must not keep us from pinging."""
        for flow, channel in self._streams():
            if flow.stalled(channel, now, self._feed.exchange.funding_seconds) and not flow.acting:
                flow.acting = True
                task = asyncio.get_running_loop().create_task(self._act(connection, flow, channel))
                self._acts.add(task)
                task.add_done_callback(self._acts.discard)

    async def _act(self, connection: Connection, flow: Flow, channel: Channel) -> None:
        try:
            if await self._against_stall(connection, flow, channel):
                connection.close()
        finally:
            flow.acting = False

    async def _against_stall(self, connection: Connection, flow: Flow, channel: Channel) -> bool:
        """Take the next step: probe trades by REST, subscribe again, at last connect again (True).

        A symbol that simply does not trade is left alone; what REST gives meanwhile is taken.
        """
        # Silence alone says nothing: most symbols rest for minutes. REST knows whether there was something to miss.
        known_at, name = flow.ids.last_at, self._feed.exchange.name
        if channel is Channel.TRADES and not await self._probe(flow, known_at):
            return False
        metrics.STALLS.labels(name).inc()
        structlog.get_logger().warning("a stream is silent", exchange=name, symbol=flow.name, channel=channel.value)
        flow.probed[channel] = flow.probed.get(channel, 0) + 1
        if flow.probed[channel] > 1:
            return True
        mine = [s for s in self._subscriptions if s.instrument == flow.instrument and s.channel is channel]
        if channel is Channel.TRADES:
            self._healer.broken(flow)
        self._requests += 1
        connection.send(self._feed.exchange.unsubscribe(mine, self._requests))
        try:
            await self._subscribe(connection, mine)
        except UnavailableError:
            return True
        if channel is Channel.TRADES:
            self._healer.reconnected(flow)
        return False

    async def _probe(self, flow: Flow, known_at: int) -> bool:
        """Ask REST whether a symbol has traded while its stream was silent; take what it gives."""
        rows = await self._healer.fetch(flow, after_id=0, since=known_at + 1)
        if rows is not None:
            if not (rows["traded_at"] > known_at).any() or flow.ids.last_at > known_at:
                flow.quiet(clock.now())
                return False
            self._healer.caught_up(flow, rows, known_at)
        return True

    def _forget(self, connection: Connection) -> None:
        self._feed.listeners.pop(connection.number, None)
        connection.close()
