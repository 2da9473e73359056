"""The simulator's process: one port, each exchange behind a path prefix, and `/admin`."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

from infra.errors import InputError, SettingsError
from ingestion.simulator import housekeeping
from ingestion.simulator.accept import Acceptor
from ingestion.simulator.admin import Admin
from ingestion.simulator.clock import Clock
from ingestion.simulator.connection import Client
from ingestion.simulator.dialects import dialects
from ingestion.simulator.faults import FaultKind, Faults
from ingestion.simulator.gate import Gate
from ingestion.simulator.generator import Generator
from ingestion.simulator.history import Past
from ingestion.simulator.limits import Addresses, Violations
from ingestion.simulator.listing import MINUTE_MS
from ingestion.simulator.options import Block, Options
from ingestion.simulator.outgoing import Outgoing
from ingestion.simulator.player import Player
from ingestion.simulator.script import Script
from ingestion.simulator.strikes import strike
from ingestion.simulator.universe import listings as all_listings

LEAD_MINUTES = 1  # trades exist since the minute before the start, so that a begun minute can be healed
FEW_LISTINGS = 8  # whose whole tape is kept
KEPT_OF_FEW = 2_000_000


class Simulator:
    """All simulated exchanges. `url` is where they are."""

    def __init__(self, options: Options, script: Script | None = None) -> None:
        """Draw the past, set the clock, and put the last minute's trades on the tapes."""
        self.options, self.faults, self.violations = options, Faults(), Violations()
        self.listings = options.listings or all_listings(options.symbols, perpetuals=options.perpetuals)
        self.clients: set[Client] = set()
        self.subscribed = asyncio.Event()
        self.script = script or Script([])
        self.url = ""
        self._keep()
        blocks, self._clock, start = self._beginning()
        self.past = Past(seed=options.seed, start=start, days=0 if options.replay is not None else options.days)
        self.exchanges = [
            dialect(
                [listing for listing in self.listings if listing.exchange == dialect.name],
                self.past,
                self.clock,
                self._note,
            )
            for dialect in dialects().values()
        ]
        outgoing = {exchange.name: Outgoing(exchange, self.faults) for exchange in self.exchanges}
        self.player = Player(blocks, clock=self._clock, outgoing=outgoing, clients=self.clients, after=self._sent)
        if options.replay is None:
            self.player.skip(self._clock.now())

    def _beginning(self) -> tuple[Iterator[Block], Clock, int]:
        """Return the trades, the clock, and the moment up to which the past is drawn."""
        options = self.options
        if options.replay is not None:
            first = next(options.replay, None)
            if first is None or not first[1]:
                raise InputError("there is no trade to replay")
            at = first[1][0][1].at
            return itertools.chain([first], options.replay), Clock(at, options.speed), at
        if options.speed <= 0:
            raise InputError("invented trades never end: give them a speed above 0")
        clock = Clock(options.start, options.speed)
        start = clock.now() - clock.now() % MINUTE_MS - LEAD_MINUTES * MINUTE_MS
        generator = Generator(self.listings, seed=options.seed, rate=options.rate, start=start, sweeps=options.sweeps)
        return generator.blocks(), clock, start

    def _keep(self) -> None:
        """Set how much of each tape is kept."""
        few = len(self.listings) <= FEW_LISTINGS
        for listing in self.listings:
            most = self.options.kept_trades or (KEPT_OF_FEW if few else listing.tape.keep)
            listing.tape.together = self.options.sweeps or self.options.replay is not None
            listing.tape.keep, listing.tape.keep_minutes = most, KEPT_OF_FEW if few else listing.tape.keep_minutes

    def clock(self) -> int:
        """Return the exchanges' time, milliseconds."""
        jump = next((f.milliseconds for f in self.faults.active.values() if f.kind is FaultKind.CLOCK_JUMP), 0)
        return self._clock.now() + jump

    @property
    def sent(self) -> int:
        """How many trades were sent."""
        return self.player.sent

    @property
    def finished(self) -> bool:
        """Whether a replay is over."""
        return self.player.finished

    def _note(self, exchange: str, what: str) -> None:
        self.violations.note(exchange, what)

    def _sent(self, count: int) -> None:
        self.script.at_trade(count, self.faults)
        if self.faults.active:
            strike(self.faults, self.exchanges, self.clients)

    async def run(self) -> None:
        """Play; a replay waits for the first subscription if it is told to."""
        if self.options.replay is not None and self.options.wait:
            await self.subscribed.wait()
        self._clock.begin()
        if self.options.replay is None:
            self.player.skip(self._clock.now())  # the past took its time to draw
        refresh = asyncio.create_task(self.player.refresh())
        try:
            await self.player.play()
        finally:
            refresh.cancel()

    def application(self) -> web.Application:
        """Build the routes."""
        app, addresses = web.Application(client_max_size=1 << 20), Addresses()
        for exchange in self.exchanges:
            prefix, gate = f"/{exchange.name}", Gate(exchange, self.faults, self.violations, addresses)
            acceptor = Acceptor(
                exchange,
                faults=self.faults,
                violations=self.violations,
                addresses=addresses,
                clients=self.clients,
                subscribed=self.subscribed,
            )
            for path, handler in exchange.routes().items():
                app.router.add_get(prefix + path, gate.guard(path, handler))
            for path, market in exchange.sockets.items():
                app.router.add_get(prefix + path, acceptor.endpoint(market))
                if exchange.streams_in_path:
                    app.router.add_get(f"{prefix}{path}/{{streams:.+}}", acceptor.endpoint(market))
        Admin(self).routes(app)
        return app


@contextlib.asynccontextmanager
async def running(options: Options, script: Script | None = None) -> AsyncIterator[Simulator]:
    """Run a simulator for the length of a block. Raises SettingsError when the port is taken."""
    simulator = Simulator(options, script)
    runner = web.AppRunner(simulator.application(), access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError as error:
        await runner.cleanup()
        raise SettingsError(f"port {options.port} is taken; set CAP_SIMULATOR_PORT: {error.strerror}") from error
    host, port = runner.addresses[0][:2]
    simulator.url = f"http://{host}:{port}"
    tasks = [
        asyncio.create_task(simulator.run()),
        asyncio.create_task(simulator.script.play(simulator.faults)),
        asyncio.create_task(housekeeping.keep(simulator.exchanges, simulator.clients)),
    ]
    try:
        yield simulator
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for client in tuple(simulator.clients):
            client.abort()
        await runner.cleanup()
    for result in ended:
        if isinstance(result, Exception):
            raise result
