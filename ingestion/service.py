"""All exchanges of one process: opened side by side, warmed up together, published into one event log."""

import asyncio
from collections import defaultdict

import structlog

from infra import clock
from infra.errors import UnavailableError
from infra.eventlog import EventLog, Position
from infra.settings import Settings
from ingestion.exchange import Watched
from ingestion.exchanges import open_exchange
from ingestion.floods import load_scanner_in_floods
from ingestion.market import Instrument, Symbol
from ingestion.memory import Memory
from ingestion.messages import DEAD_LETTER_TOPIC, TRADES_TOPIC, History, encode, partition_of
from ingestion.publish import Publisher
from ingestion.spill import Spill
from ingestion.streams import plan
from ingestion.streams.feed import Feed
from ingestion.streams.flow import Flow
from ingestion.streams.healing import Healer
from ingestion.streams.limiter import Bucket
from ingestion.streams.listing import instruments
from ingestion.streams.notes import Published, write_note
from ingestion.streams.recording import record
from ingestion.streams.rest import RestClient
from ingestion.streams.subscription_group import SubscriptionGroup
from ingestion.streams.warmup import Member, warm_up
from ingestion.streams.watching import Watcher
from ingestion.tape import Frame, Tape, read_tail

CLOCK_SECONDS = 0.25
EXPIRE_SECONDS = 300.0
LATE_SECONDS = 10.0
"""How long the other exchanges wait for one that does not answer."""
RECALL = 10 * clock.SECOND
"""How much older than the log's newest trade the frames are that are taken from the tape again."""


class Ingestion:
    """What `cap ingest` runs: for each exchange a REST client, a healer, a feed and its connections."""

    def __init__(self, config: Settings, event_log: EventLog) -> None:
        """Prepare; nothing is connected yet."""
        self.settings, self.log = config, event_log
        directory = config.data_directory / "ingestion"
        self.tape = Tape(directory / "tape", keep_hours=config.tape_hours)
        self.publisher = Publisher(event_log, Spill(directory / "spill.bin"))
        self.sources: list[SubscriptionGroup | Watcher] = []
        self.connecting = set(config.exchanges)
        self.symbols = [Symbol.parse(name) for name in config.symbols if name != "*"]
        self._members: dict[str, list[Member]] = {}
        self._feeds: list[Feed] = []
        self._tail: list[Frame] = []

    def ready(self) -> dict[str, bool]:
        """Return each needed part and whether it works, for the probe of readiness."""
        return {
            "event log": self.publisher.reachable and self.publisher.failure is None,
            "exchanges": not self.connecting and all(source.up for source in self.sources),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises what ended the publisher."""
        memory = await asyncio.to_thread(self._remember)
        async with asyncio.TaskGroup() as tasks:
            opening = [tasks.create_task(self._open(name, memory, tasks)) for name in self.settings.exchanges]
            tasks.create_task(self._clocks())
            tasks.create_task(self._expire())
            tasks.create_task(load_scanner_in_floods())
            tasks.create_task(self._warm(opening, memory, tasks))
            await self._until(stop)
            raise asyncio.CancelledError

    def _remember(self) -> Memory:
        """Read what is in the log, after what an earlier process had to leave on disk, and the tape's newest frames."""
        self.publisher.settled.wait()
        memory = Memory(self.log, self.settings.partitions)
        if memory.received_at:
            since = memory.received_at - RECALL
            self._tail = [frame for frame in read_tail(self.tape.directory) if frame.received_at >= since]
        return memory

    async def _warm(self, opening: list[asyncio.Task[str]], memory: Memory, tasks: asyncio.TaskGroup) -> None:
        """Warm all symbols up together; an exchange that answers later is warmed up when it does."""
        # One message of history holds all exchanges of a symbol, so that its composite begins with all of them. An
        # exchange that is down must not keep the others' trades back for that.
        done, late = await asyncio.wait(opening, timeout=LATE_SECONDS)
        self._warm_up({opened.result() for opened in done}, memory, tasks)
        for opened in asyncio.as_completed(late):
            self._warm_up({await opened}, memory, tasks)

    def _warm_up(self, names: set[str], memory: Memory, tasks: asyncio.TaskGroup) -> None:
        by_symbol: dict[str, list[Member]] = defaultdict(list)
        for name in sorted(names):
            for member in self._members[name]:
                by_symbol[member[3].name].append(member)
        for symbol, members in by_symbol.items():
            needed = not memory.warm(symbol, self.settings.exchanges, clock.now())
            tasks.create_task(warm_up(symbol, members, self._history, needed=needed))

    async def _until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self.publisher.failure is not None:
                raise self.publisher.failure
            try:
                await asyncio.wait_for(stop.wait(), 0.5)
            except TimeoutError:
                continue

    async def _open(self, name: str, memory: Memory, tasks: asyncio.TaskGroup) -> str:
        """Follow an exchange once it has said what it lists; return its name."""
        exchange = open_exchange(name, self.settings.simulator_url)
        rest = RestClient(exchange)
        healer = Healer(rest)
        config = self.settings
        feed = Feed(exchange, self.publisher, self.tape, config.partitions, healer.on_hole, simulated=config.simulated)
        healer.feed = feed
        self.tape.beginnings.append(feed.followed)
        listed = await instruments(exchange, rest, self.symbols)
        flows = [self._flow(feed, instrument, memory) for instrument in listed]
        feed.recall(self._tail)
        self._members[name] = [(feed, healer, rest, flow) for flow in flows]
        self._feeds.append(feed)
        if isinstance(exchange, Watched):
            self._watch(exchange, feed, healer, flows, tasks)
            return name
        limits = exchange.limits
        connects = Bucket(limits.connections_per_window / limits.window_seconds, limits.connections_per_window - 1)
        for url, subscriptions in plan.connections(exchange, plan.subscriptions(flow.instrument for flow in flows)):
            group = SubscriptionGroup(feed, healer, url, subscriptions, connects)
            self.sources.append(group)
            tasks.create_task(group.run())
        self._opened(name, len(flows))
        return name

    def _opened(self, name: str, symbols: int) -> None:
        self.connecting.discard(name)
        structlog.get_logger().info("following", exchange=name, symbols=symbols)

    def _watch(
        self, exchange: Watched, feed: Feed, healer: Healer, flows: list[Flow], tasks: asyncio.TaskGroup
    ) -> None:
        """Follow an exchange through ccxt, one watcher a symbol."""
        for number, flow in enumerate(flows, 1_000_000):
            watcher = Watcher(feed, healer, flow, exchange, number)
            self.sources.append(watcher)
            tasks.create_task(watcher.run())
        self._opened(exchange.name, len(flows))

    @staticmethod
    def _flow(feed: Feed, instrument: Instrument, memory: Memory) -> Flow:
        flow = feed.add(instrument)
        known = memory.rows(feed.exchange.name, flow.name)
        if known is not None:
            names = feed.exchange.name, flow.name
            flow.open_gaps = memory.gaps(*names, "open")
            flow.new_gaps = flow.ids.begin(known, memory.gaps(*names, "open", "lost"), memory.since)
        return flow

    def _history(self, message: History) -> None:
        partition = partition_of(Symbol.parse(message.symbol), self.settings.partitions)
        payload = encode(message)
        record(self.tape, [write_note("", Published(message.symbol, payload))])
        self.publisher.put(Position(TRADES_TOPIC, partition), payload)

    async def _clocks(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            for feed in self._feeds:
                feed.tell_clock()

    async def _expire(self) -> None:
        """Drop messages older than the retention from Valkey; Kafka does so by itself."""
        positions = [Position(TRADES_TOPIC, p) for p in range(self.settings.partitions)]
        while self.settings.event_log == "valkey":
            before = clock.now() - int(self.settings.retention_hours * clock.HOUR)
            for position in [*positions, Position(DEAD_LETTER_TOPIC, 0)]:
                try:
                    await asyncio.to_thread(self.log.expire, position, before)
                except UnavailableError as error:
                    structlog.get_logger().warning("retention has to wait", reason=str(error))
            await asyncio.sleep(EXPIRE_SECONDS)
