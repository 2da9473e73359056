"""`cap ingest`: all exchanges into the event log."""

import asyncio
import signal
import sys
import time
from collections import defaultdict

import structlog
import uvloop

from infra import clock, log
from infra.errors import InputError, SettingsError, UnavailableError
from infra.eventlog import EventLog, Position, open_log
from infra.lock import own
from infra.metrics import serve_metrics
from infra.settings import Settings, settings
from ingestion.decoding.batch import flooded, load_scanner
from ingestion.exchange import Exchange, Watched, symbol_wanted
from ingestion.exchanges import open_exchange
from ingestion.market import Instrument, Symbol
from ingestion.memory import Memory
from ingestion.messages import DEAD_LETTER_TOPIC, TRADES_TOPIC, History, encode, partition_of
from ingestion.publish import Publisher
from ingestion.spill import Spill
from ingestion.streams import plan
from ingestion.streams.backoff import Backoff
from ingestion.streams.feed import Feed, keep
from ingestion.streams.flow import Flow
from ingestion.streams.healing import Healer
from ingestion.streams.keeping import Keeper
from ingestion.streams.limiter import Bucket
from ingestion.streams.notes import Told, write_note
from ingestion.streams.rest import RestClient
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
    """Everything of one process."""

    def __init__(self, given: Settings, event_log: EventLog) -> None:
        """Prepare; nothing is connected yet."""
        self.settings, self.log = given, event_log
        directory = given.data_directory / "ingestion"
        self.tape = Tape(directory / "tape", keep_hours=given.tape_hours)
        self.publisher = Publisher(event_log, Spill(directory / "spill.bin"))
        self.keepers: list[Keeper | Watcher] = []
        self.connecting = set(given.exchanges)
        self.wanted = [Symbol.parse(one) for one in given.symbols if one != "*"]
        self._members: dict[str, list[Member]] = {}
        self._feeds: list[Feed] = []
        self._tail: list[Frame] = []

    def ready(self) -> dict[str, bool]:
        """Name each needed part and whether it works."""
        return {
            "event log": self.publisher.reachable and self.publisher.failure is None,
            "exchanges": not self.connecting and all(keeper.up for keeper in self.keepers),
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop."""
        memory = await asyncio.to_thread(self._remember)
        async with asyncio.TaskGroup() as tasks:
            opening = [tasks.create_task(self._open(name, memory, tasks)) for name in self.settings.exchanges]
            tasks.create_task(self._clocks())
            tasks.create_task(self._expire())
            tasks.create_task(scan_floods())
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
        done, late = await asyncio.wait(opening, timeout=LATE_SECONDS)
        self._warm_up({one.result() for one in done}, memory, tasks)
        for one in asyncio.as_completed(late):
            self._warm_up({await one}, memory, tasks)

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
        exchange = open_exchange(name, self.settings.simulator_url)
        rest = RestClient(exchange)
        healer = Healer(rest)
        feed = Feed(
            exchange, self.publisher, self.tape, self.settings.partitions, healer.on_hole,
            simulated=self.settings.simulated,
        )  # fmt: skip
        healer.feed = feed
        self.tape.beginnings.append(feed.followed)
        flows = [self._flow(feed, one, memory) for one in await self._instruments(exchange, rest)]
        feed.recall(self._tail)
        self._members[name] = [(feed, healer, rest, flow) for flow in flows]
        self._feeds.append(feed)
        if isinstance(exchange, Watched):
            self._watch(exchange, feed, healer, flows, tasks)
            return name
        limits = exchange.limits
        connects = Bucket(limits.connections_per_window / limits.window_seconds, limits.connections_per_window - 1)
        for url, subscriptions in plan.connections(exchange, plan.subscriptions(flow.instrument for flow in flows)):
            keeper = Keeper(feed, healer, url, subscriptions, connects)
            self.keepers.append(keeper)
            tasks.create_task(keeper.run())
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
            self.keepers.append(watcher)
            tasks.create_task(watcher.run())
        self._opened(exchange.name, len(flows))

    async def _instruments(self, exchange: Exchange, rest: RestClient) -> list[Instrument]:
        """Ask until the exchange answers; symbols it does not list are named and left out."""
        backoff = Backoff(1.0)
        while True:
            try:
                listed = await exchange.instruments(rest)
                break
            except (UnavailableError, InputError, KeyError, ValueError, TypeError) as error:
                structlog.get_logger().warning("no instruments yet", exchange=exchange.name, reason=str(error)[:200])
                await asyncio.sleep(backoff.delay())
        found = [one for one in listed if symbol_wanted(one, self.wanted)]
        missing = set(self.wanted) - {one.symbol for one in found}
        if missing:
            names = ", ".join(sorted(map(str, missing)))
            structlog.get_logger().warning("not listed", exchange=exchange.name, symbols=names)
        return found

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
        keep(self.tape, [write_note("", Told(message.symbol, payload))])
        self.publisher.put(Position(TRADES_TOPIC, partition), payload)

    async def _clocks(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_SECONDS)
            for feed in self._feeds:
                feed.tell_clock()

    async def _expire(self) -> None:
        """Drop what is older than the retention; Kafka does so by itself."""
        positions = [Position(TRADES_TOPIC, p) for p in range(self.settings.partitions)]
        while self.settings.event_log == "valkey":
            before = clock.now() - int(self.settings.retention_hours * clock.HOUR)
            for position in [*positions, Position(DEAD_LETTER_TOPIC, 0)]:
                try:
                    await asyncio.to_thread(self.log.expire, position, before)
                except UnavailableError as error:
                    structlog.get_logger().warning("retention has to wait", reason=str(error))
            await asyncio.sleep(EXPIRE_SECONDS)


async def scan_floods() -> None:
    """Load the scanner when frames come in floods; it is compiled, once per version, in a process beside ours."""
    while not flooded():  # noqa: ASYNC110 - decoders know no event loop
        await asyncio.sleep(1.0)
    compiler = await asyncio.create_subprocess_exec(sys.executable, "-m", "ingestion.decoding.batch")
    try:
        await compiler.wait()
    except asyncio.CancelledError:
        compiler.kill()
        raise
    await asyncio.to_thread(load_scanner)
    structlog.get_logger().info("frames in floods are read by the scanner")


def open_when_there(given: Settings, seconds: float = 30.0) -> EventLog:
    """Open the event log once it answers. Raises UnavailableError."""
    deadline, opened = time.monotonic() + seconds, open_log(given)
    while True:
        try:
            opened.end(Position(TRADES_TOPIC, 0))
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.25)
        else:
            return opened


def ingest() -> None:
    """Follow the exchanges: trades, their own candles and funding, into the event log; raw frames onto the tape."""
    given = settings()
    if not given.exchanges:
        raise SettingsError("CAP_EXCHANGES is empty; write CAP_EXCHANGES='[\"binance\"]'")
    log.configure("ingestion")
    ownership = own(given.data_directory / "ingestion" / "ingestion.lock", "`cap ingest`")
    event_log = open_when_there(given)
    service = Ingestion(given, event_log)
    server = serve_metrics(given.host, given.ingestion_metrics_port, service.ready)
    try:
        uvloop.run(_run(service))
    finally:
        service.publisher.close()
        service.tape.close()
        server.close()
        ownership.close()
    if service.publisher.failure is not None:
        raise service.publisher.failure


async def _run(service: Ingestion) -> None:
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    try:
        await service.run(stop)
    except asyncio.CancelledError:
        structlog.get_logger().info("stopped")
