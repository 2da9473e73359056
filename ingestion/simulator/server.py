"""The simulator's process: one port, three exchanges by path prefix, the clock that sends trades, and `/admin`."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from infra.errors import SettingsError
from ingestion.simulator.admin import Admin
from ingestion.simulator.binance import Binance
from ingestion.simulator.bybit import Bybit
from ingestion.simulator.connection import Client
from ingestion.simulator.dialect import Exchange, Handler, funding_rate
from ingestion.simulator.faults import Faults, Kind
from ingestion.simulator.generator import Generator
from ingestion.simulator.history import Past
from ingestion.simulator.limits import Limits, Violations, Window
from ingestion.simulator.listing import MINUTE_MS, Listing, Trade
from ingestion.simulator.okx import Okx
from ingestion.simulator.outgoing import Outgoing
from ingestion.simulator.universe import listings as all_listings

LEAD_MINUTES = 1  # trades exist since the minute before the start, so that a begun minute can be healed
KLINE_SECONDS = 1.0
MOST_QUEUED = 5_000  # as fast as clients read: wait while more frames than this are queued
EXCHANGES: tuple[type[Exchange], ...] = (Binance, Bybit, Okx)
SOCKET_LIMITS = {"binance": (5, 1.0, 1024), "bybit": (500, 1.0, 1000), "okx": (480, 3600.0, 10_000)}
CONNECT_LIMITS = {"binance": (300, 300.0), "bybit": (500, 300.0), "okx": (3, 1.0)}
REST_LIMITS = {"binance": (6_000, 60.0), "bybit": (600, 5.0), "okx": (40, 2.0)}
WEIGHTS = {
    "binance": {"klines": 2, "trades": 25, "historicalTrades": 25, "aggTrades": 4, "exchangeInfo": 20},
    "bybit": {},
    "okx": {"candles": 1, "trades": 0},  # 40 and 100 requests in 2 s instead of 20
}
Block = tuple[int, list[tuple[Listing, Trade]]]


@dataclass
class Options:
    """How the simulator is run."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    rate: float = 300.0
    symbols: int = 20
    perpetuals: bool = True
    speed: float = 1.0  # 0: as fast as the clients read
    replay: Iterator[Block] | None = None
    listings: list[Listing] = field(default_factory=list)  # with replay


class Simulator:
    """All three exchanges."""

    def __init__(self, options: Options) -> None:
        """Set the clock: three minutes ago for invented trades, the data's own time for replays."""
        self.options, self.faults, self.violations = options, Faults(), Violations()
        now = time.time_ns() // 1_000_000
        self.listings = options.listings or all_listings(options.symbols, perpetuals=options.perpetuals)
        start = now - now % MINUTE_MS - LEAD_MINUTES * MINUTE_MS
        generator = Generator(self.listings, seed=options.seed, rate=options.rate, start=start)
        self._blocks = options.replay if options.replay is not None else _since(generator.blocks(), now)
        self._now = now if options.replay is None else 0
        self.past = Past(seed=options.seed, start=start, days=0 if options.replay else 21)
        self.exchanges = [
            kind([one for one in self.listings if one.exchange == kind.name], self.past, self.clock)
            for kind in EXCHANGES
        ]
        self.outgoing = {one.name: Outgoing(one, self.faults) for one in self.exchanges}
        self.clients: set[Client] = set()
        self.sent = 0
        self.finished = False
        self.url = ""
        self._limits: dict[tuple[str, str, str], Window] = {}
        self._started = asyncio.Event()

    def clock(self) -> int:
        """Return the exchanges' time, milliseconds."""
        jump = next((f.milliseconds for f in self.faults.active.values() if f.kind is Kind.CLOCK_JUMP), 0)
        if self.options.replay is not None:
            return self._now + jump
        return time.time_ns() // 1_000_000 + jump

    def window(self, what: str, exchange: str, address: str, limits: dict[str, tuple[int, float]]) -> Window:
        """Return the window of one address for one kind of limit."""
        key = (what, exchange, address)
        if key not in self._limits:
            self._limits[key] = Window(*limits[exchange])
        return self._limits[key]

    # --- REST -------------------------------------------------------------------------------------------------------
    def rest(self, exchange: Exchange, path: str, handler: Handler) -> Handler:
        """Wrap a handler in this exchange's limits and in the faults of REST."""

        async def limited(request: web.Request) -> web.StreamResponse:
            if (slow := self.faults.hit(Kind.REST_SLOW, exchange.name)) is not None:
                await asyncio.sleep(slow.milliseconds / 1000)
            if self.faults.hit(Kind.REST_DOWN, exchange.name):
                return web.Response(status=502, text="Bad Gateway")
            if self.faults.hit(Kind.TOO_MANY, exchange.name):
                return web.json_response({"code": -1003, "msg": "slow"}, status=429, headers={"Retry-After": "1"})
            if self.faults.hit(Kind.BANNED, exchange.name):
                return web.json_response({"code": -1003, "msg": "banned"}, status=418, headers={"Retry-After": "3"})
            weight = WEIGHTS[exchange.name].get(path.rpartition("/")[2], 2 if exchange.name == "okx" else 1)
            scope = f"rest{path}" if exchange.name == "okx" else "rest"
            window = self.window(scope, exchange.name, request.remote or "", REST_LIMITS)
            if window.over(weight):
                self.violations.note(exchange.name, f"REST {path}")
                refused = exchange.refused(request, window.free_in() + 1)
                if refused is not None:
                    return refused
            answer = await handler(request)
            if exchange.name == "binance":
                answer.headers["X-MBX-USED-WEIGHT-1M"] = str(window.total)
            return answer

        return limited

    # --- WebSocket --------------------------------------------------------------------------------------------------
    def socket(self, exchange: Exchange, market: str) -> Handler:
        """Return the handler of one WebSocket endpoint."""

        async def accept(request: web.Request) -> web.StreamResponse:
            address = request.remote or ""
            if self.faults.hit(Kind.HANDSHAKE_HANG, exchange.name):
                await asyncio.sleep(3600)
            if self.faults.hit(Kind.HANDSHAKE_502, exchange.name):
                return web.Response(status=502, text="Bad Gateway")
            if self.window("connect", exchange.name, address, CONNECT_LIMITS).over():
                self.violations.note(exchange.name, "connections")
                return web.Response(status=429, text="too many connections")
            websocket = web.WebSocketResponse(heartbeat=180.0 if exchange.name == "binance" else None, compress=False)
            await websocket.prepare(request)
            most, seconds, streams = SOCKET_LIMITS[exchange.name]
            most = 10 if market.startswith("futures") else most
            client = Client(websocket, request, market, Limits(Window(most, seconds), streams))
            self._preset(exchange, client, request)
            await self._serve(exchange, client, websocket)
            return websocket

        return accept

    @staticmethod
    def _preset(exchange: Exchange, client: Client, request: web.Request) -> None:
        """Binance takes streams in the path (/ws/a) and in the query (?streams=a/b)."""
        streams = request.query.get("streams", "") or request.match_info.get("streams", "")
        for key in filter(None, streams.split("/")):
            exchange.subscribe(client, key)

    async def _serve(self, exchange: Exchange, client: Client, websocket: web.WebSocketResponse) -> None:
        self.clients.add(client)
        writer = asyncio.create_task(client.write())
        try:
            async for message in websocket:
                if message.type is not WSMsgType.TEXT:
                    continue
                if client.limits.messages.over():
                    self.violations.note(exchange.name, "messages")
                    client.close(1008, "Too many requests")
                    continue
                if "subscribe" in message.data.lower() and self.faults.hit(Kind.ACK_MISSING, exchange.name):
                    continue
                if not client.silent:
                    exchange.receive(client, message.data)
                    self._overlap(exchange, client, message.data)
        finally:
            self.clients.discard(client)
            exchange.forget(client)
            writer.cancel()

    def _overlap(self, exchange: Exchange, client: Client, text: str) -> None:
        if "subscribe" not in text.lower() or "unsubscribe" in text.lower():
            return
        if not self.faults.hit(Kind.OVERLAP, exchange.name):
            return
        for listing in exchange.listings:
            last = [listing.tape[n] for n in range(max(0, len(listing.tape) - 100), len(listing.tape))]
            for key, frame in exchange.trade_frames(listing, last) if last else ():
                if key in client.keys and client.market == exchange.market(listing, key):
                    client.publish(key, frame)

    # --- the clock --------------------------------------------------------------------------------------------------
    async def run(self) -> None:
        """Send trades as their time comes, klines once a second and when they close, funding each few seconds."""
        while self.options.replay is not None and not any(c.keys for c in self.clients):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
        began, first = time.monotonic(), None
        for end, trades in self._blocks:
            for at, group in _by_moment(trades):
                if self.options.replay is None:
                    await self._until(at)
                elif self.options.speed > 0:
                    first = at if first is None else first
                    await asyncio.sleep(max(0.0, began + (at - first) / 1000 / self.options.speed - time.monotonic()))
                self._now = max(self._now, at)
                self._send(group)
            if self.options.replay is not None:
                self._now = max(self._now, end)
                self._close_minutes()
                await self._breathe()
        self._now += 2 * MINUTE_MS
        self._close_minutes()
        self.finished = True

    async def _until(self, at: int) -> None:
        ahead = at - time.time_ns() // 1_000_000
        if ahead > 0:
            await asyncio.sleep(ahead / 1000)
        else:
            self._behind = getattr(self, "_behind", 0) + 1
            if self._behind % 64 == 0:
                await asyncio.sleep(0)

    async def _breathe(self) -> None:
        """Let clients read; as fast as they do when no speed is set."""
        await asyncio.sleep(0)
        while any(client.queued > MOST_QUEUED for client in self.clients):  # noqa: ASYNC110 - a poll of many queues
            await asyncio.sleep(0.001)

    def _send(self, group: list[tuple[Listing, Trade]]) -> None:
        together: dict[int, tuple[Listing, list[Trade]]] = {}
        for listing, trade in group:
            listing.tape.add(trade)
            together.setdefault(id(listing), (listing, []))[1].append(trade)
        self.sent += len(group)
        for listing, trades in together.values():
            outgoing = self.outgoing[listing.exchange]
            outgoing.deliver(listing, outgoing.exchange.trade_frames(listing, trades))
        self._strike()

    def _strike(self) -> None:
        """Carry out the faults of whole connections."""
        if not self.faults.active:
            return
        for exchange in self.exchanges:
            mine = [c for c in self.clients if any(c in s for s in exchange.subscribers.values())]
            for kind in (Kind.RESET, Kind.CLOSE, Kind.CUT, Kind.HALF_OPEN, Kind.STALL_SOCKET):
                fault = self.faults.hit(kind, exchange.name) if mine else None
                for client in mine if fault is not None else ():
                    if kind is Kind.HALF_OPEN:
                        client.silent = True
                    elif kind is Kind.STALL_SOCKET:
                        client.mute = True
                    elif fault is not None and kind is Kind.CLOSE and fault.code != 1006:
                        client.close(fault.code)
                    else:
                        client.abort(reset=kind is Kind.RESET)

    async def klines(self) -> None:
        """Send forming candles each second and closed ones just after their minute."""
        while self.options.replay is None:
            await asyncio.sleep(KLINE_SECONDS - time.time() % KLINE_SECONDS + 0.05)
            self._close_minutes()
            minute = self.clock() - self.clock() % MINUTE_MS
            for listing in self.listings:
                if (kline := listing.tape.klines.get(minute)) is not None:
                    outgoing = self.outgoing[listing.exchange]
                    outgoing.deliver(listing, outgoing.exchange.kline_frames(listing, kline, closed=False))
            self._send_funding()

    def _close_minutes(self) -> None:
        minute = self._clock_minute()
        last = getattr(self, "_closed", None)
        if last is None or (self.options.replay is None and minute - last > 10 * MINUTE_MS):
            last = minute - MINUTE_MS if self.options.replay is None else self._first_minute() - MINUTE_MS
        while last + MINUTE_MS < minute:
            last += MINUTE_MS
            for listing in self.listings:
                if (kline := listing.tape.quiet_minute(last)) is not None:
                    outgoing = self.outgoing[listing.exchange]
                    outgoing.deliver(listing, outgoing.exchange.kline_frames(listing, kline, closed=True))
        self._closed = last

    def _clock_minute(self) -> int:
        now = self._now if self.options.replay is not None else time.time_ns() // 1_000_000
        return now - now % MINUTE_MS

    def _first_minute(self) -> int:
        return min(
            (next(iter(one.tape.klines)) for one in self.listings if one.tape.klines), default=self._clock_minute()
        )

    def _send_funding(self) -> None:
        for exchange in self.exchanges:
            following = exchange.funding_times()[1]
            for listing in exchange.listings:
                if listing.perpetual and len(listing.tape):
                    rate = funding_rate(listing, following)
                    self.outgoing[exchange.name].deliver(listing, exchange.funding_frames(listing, rate, following))

    # --- the process ------------------------------------------------------------------------------------------------
    def application(self) -> web.Application:
        """Build the routes."""
        app = web.Application(client_max_size=1 << 20)
        for exchange in self.exchanges:
            for path, handler in exchange.routes().items():
                app.router.add_get(f"/{exchange.name}{path}", self.rest(exchange, path, handler))
            for path, market in exchange.sockets.items():
                app.router.add_get(f"/{exchange.name}{path}", self.socket(exchange, market))
                if exchange.name == "binance":
                    app.router.add_get(f"/{exchange.name}{path}/{{streams:.+}}", self.socket(exchange, market))
        Admin(self).routes(app)
        return app


def _since(blocks: Iterator[Block], now: int) -> Iterator[Block]:
    """Put the trades before `now` on the tapes at once; return the blocks that follow."""
    for end, trades in blocks:
        before = [pair for pair in trades if pair[1].at < now]
        for listing, trade in before:
            listing.tape.add(trade)
        if end >= now:
            return itertools.chain([(end, trades[len(before) :])], blocks)
    return blocks


def _by_moment(trades: list[tuple[Listing, Trade]]) -> Iterator[tuple[int, list[tuple[Listing, Trade]]]]:
    """Group trades of the same millisecond."""
    group: list[tuple[Listing, Trade]] = []
    for pair in trades:
        if group and pair[1].at != group[0][1].at:
            yield group[0][1].at, group
            group = []
        group.append(pair)
    if group:
        yield group[0][1].at, group


@contextlib.asynccontextmanager
async def running(options: Options) -> AsyncIterator[Simulator]:
    """Run a simulator for the length of a block. Raises SettingsError when the port is taken."""
    simulator = Simulator(options)
    runner = web.AppRunner(simulator.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise SettingsError(f"port {options.port} is taken; set CAP_SIMULATOR_PORT: {error.strerror}") from error
    port = runner.addresses[0][1]
    simulator.url = f"http://{options.host}:{port}"
    tasks = [asyncio.create_task(simulator.run()), asyncio.create_task(simulator.klines())]
    try:
        yield simulator
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in tuple(simulator.clients):
            client.abort()
        await runner.cleanup()
