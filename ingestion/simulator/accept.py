"""The WebSocket endpoints: the handshake with its faults and limits, and what clients say on a connection."""

import asyncio
import time

from aiohttp import WSMessage, WSMsgType, web

from ingestion.simulator import frame as frames
from ingestion.simulator.connection import Client
from ingestion.simulator.dialect import Dialect, Handler
from ingestion.simulator.faults import FaultKind, Faults
from ingestion.simulator.gate import BAN_SECONDS
from ingestion.simulator.limits import Addresses, Allowance, ConnectionLimits, Violations, Window

HANG_SECONDS = 3_600.0
OVERLAPPING_TRADES = 100
BREACHES_BEFORE_BAN = Allowance(5, 300.0)
ENDED = {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}


class Acceptor:
    """Accepts the clients of one exchange."""

    def __init__(
        self,
        exchange: Dialect,
        *,
        faults: Faults,
        violations: Violations,
        addresses: Addresses,
        clients: set[Client],
        subscribed: asyncio.Event,
    ) -> None:
        """Accept clients; `subscribed` is set at the first subscription."""
        self._exchange, self._faults, self._violations = exchange, faults, violations
        self._addresses, self._clients, self._subscribed = addresses, clients, subscribed

    def endpoint(self, market: str) -> Handler:
        """Return the handler of one WebSocket path."""

        async def accept(request: web.Request) -> web.StreamResponse:
            if (refused := await self._refused(request)) is not None:
                return refused
            websocket = web.WebSocketResponse(autoping=False, autoclose=False, compress=False, timeout=1.0)
            await websocket.prepare(request)
            plain = market.rstrip("+")
            messages = Window(*self._exchange.messages[plain])
            client = Client(
                request, self._exchange.name, market, ConnectionLimits(messages, self._exchange.streams[plain])
            )
            try:
                self._preset(client, request)
                self._clients.add(client)
                await self._serve(client, websocket)
            finally:
                self._clients.discard(client)
                self._exchange.forget(client)
            return websocket

        return accept

    async def _refused(self, request: web.Request) -> web.StreamResponse | None:
        name, address = self._exchange.name, request.remote or ""
        if self._faults.hit(FaultKind.HANDSHAKE_HANG, name):
            await asyncio.sleep(HANG_SECONDS)
        if self._faults.hit(FaultKind.HANDSHAKE_502, name):
            return web.Response(status=502, text="Bad Gateway")
        if (seconds := self._addresses.banned(name, address)) > 0:
            self._violations.note(name, "connection while banned")
            return self._exchange.refused(seconds, banned=True)
        if self._addresses.window(self._exchange.connects, name, address, "connections").over():
            self._violations.note(name, "connections")
            return web.Response(status=429, text="too many connections")
        return None

    def _preset(self, client: Client, request: web.Request) -> None:
        """Binance takes streams in the path (/ws/a) and in the query (?streams=a/b)."""
        streams = request.query.get("streams", "") or request.match_info.get("streams", "")
        keys = [key for key in streams.split("/") if key]
        if len(keys) > client.limits.streams:
            self._violations.note(self._exchange.name, "streams")
            client.close(1008, "Too many streams")
            return
        for key in keys:
            self._exchange.subscribe(client, key)
        if keys:
            self._subscribed.set()

    async def _serve(self, client: Client, websocket: web.WebSocketResponse) -> None:
        while True:
            message = await websocket.receive()
            if message.type in ENDED:
                break
            client.active = time.monotonic()
            if not client.silent and not client.closing and not self._over(client, message):
                self._hear(client, message)
        if client.silent:
            client.abort()
        elif message.type is WSMsgType.CLOSE and not client.closing:
            await websocket.close(code=message.data or 1000)

    def _over(self, client: Client, message: WSMessage) -> bool:
        """Count a message; answer one that is too many."""
        exchange = self._exchange
        text = message.type is WSMsgType.TEXT
        counted = exchange.counted(message.data) if text else exchange.control_frames_count
        if not counted or not client.limits.messages.over():
            return False
        self._violations.note(exchange.name, "messages")
        exchange.too_fast(client)
        if exchange.ban_after is not None:
            breaches = self._addresses.window(BREACHES_BEFORE_BAN, exchange.name, client.address, "message breaches")
            if breaches.over():
                self._addresses.ban(exchange.name, client.address, BAN_SECONDS)
        return True

    def _hear(self, client: Client, message: WSMessage) -> None:
        if message.type is WSMsgType.PING:
            client.write(frames.frame(message.data, frames.PONG))
        elif message.type is WSMsgType.PONG:
            client.ponged = time.monotonic()
        elif message.type is WSMsgType.TEXT:
            lower = message.data.lower()
            subscribes = "subscribe" in lower and "unsubscribe" not in lower
            if subscribes and self._faults.hit(FaultKind.ACK_MISSING, self._exchange.name):
                return
            before = set(client.keys)
            self._exchange.receive(client, message.data)
            if client.keys - before:
                self._subscribed.set()
            if subscribes and self._faults.hit(FaultKind.OVERLAP, self._exchange.name):
                self._overlap(client)

    def _overlap(self, client: Client) -> None:
        """Send the last trades of what is subscribed again."""
        for listing in self._exchange.listings:
            tape = listing.tape
            last = tape.rows(len(tape) - OVERLAPPING_TRADES, len(tape))
            for key, text in self._exchange.trade_frames(listing, last) if last else ():
                if key in client.keys and client.market == self._exchange.market(listing, key):
                    payload = text.encode()
                    client.publish(key, payload, frames.frame(payload))
