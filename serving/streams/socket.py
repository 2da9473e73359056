"""One client's connection: the handshake, incoming frames, heartbeat and end. uvicorn hands the transport over.

Incoming frames are read by `websockets` without I/O (RFC 6455 to the letter); outgoing ones are built by us, once for
all who get them, and written to the transport straight away.
"""

import asyncio
import logging
import random
import socket
from typing import Any, cast

import structlog
from prometheus_client import Counter
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from serving.request_budget import block
from serving.streams import rpc
from serving.streams.allowance import Allowance
from serving.streams.closing import Close
from serving.streams.frames import PING, text_frame
from serving.streams.guests import Guests
from serving.streams.handshake import bearer, refusal, too_many
from serving.streams.outbox import SEND_BUFFER, Outbox
from serving.streams.session import CHANNELS_PER_CLIENT, Session

LOG = structlog.get_logger()
LARGEST_MESSAGE = 64 * 1024
FRAMES_PER_SECOND = 200  # of any kind: fragments, pings
MESSAGES_PER_SECOND = 20
BURST = CHANNELS_PER_CLIENT + MESSAGES_PER_SECOND  # a client that comes back asks for each of its channels at once
PING_SECONDS = 25.0
PONG_SECONDS = 8.0
CLOSING_SECONDS = 2.0
RECONNECT_MS = 3_000

_QUIET = logging.getLogger("serving.socket")
_QUIET.setLevel(logging.CRITICAL)  # what clients do wrong is answered, not logged
CLOSED = Counter("serving_ws_closed", "Connections ended by us", ["why"])


class MarketSocket(asyncio.Protocol):
    """The connection of one client, as asyncio and uvicorn call it."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:  # noqa: ARG002 - uvicorn's call
        """Begin before the handshake; `app_state` is what the lifespan of the application yields."""
        self._connections = cast("set[asyncio.Protocol]", server_state.connections)
        self._state = app_state
        self._guests: Guests = app_state["guests"]
        self._wire = ServerProtocol(max_size=LARGEST_MESSAGE, logger=_QUIET)
        self._transport: asyncio.Transport
        self._outbox: Outbox
        self._session: Session | None = None
        self._address = ""
        self._parts: list[bytes] = []
        self._binary = False
        self._closing = False
        self._listening = True
        self._loop = asyncio.get_running_loop()
        self._second, self._frames = 0.0, 0
        self._allowance = Allowance(MESSAGES_PER_SECOND, BURST)
        self._last_frame_at = self._last_ping_at = self._loop.time()

    # What asyncio and uvicorn call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over from uvicorn, with a small send buffer so that a stalled client shows."""
        self._transport = cast("asyncio.Transport", transport)
        self._outbox = Outbox(self._transport)
        peer = transport.get_extra_info("peername")
        self._address = block(str(peer[0]) if peer else "")
        raw = transport.get_extra_info("socket")
        # The kernel's default takes megabytes, so that a client that reads nothing would look healthy for minutes.
        if raw is not None and peer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Read frames, the handshake first."""
        if self._closing and self._wire.state is State.CLOSED:
            return
        self._wire.receive_data(data)
        for event in self._wire.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif not self._closing:
                self._take(cast("Frame", event))
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's call
        """Forget this client: its place among the guests, its subscriptions, what waits for it."""
        self._closing = True
        self._connections.discard(self)
        self._guests.leave(self, self._address)
        if self._session:
            self._session.close()
        self._outbox.clear()
        self._outbox.resume()

    def pause_writing(self) -> None:
        """Take note that the transport's buffer is full."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Take note that it has room again."""
        self._outbox.resume()

    def eof_received(self) -> None:
        """Do nothing when the client hangs up: the transport then closes itself."""

    def shutdown(self) -> None:
        """Say goodbye when the server stops; clients come back at different times."""
        wait = random.randrange(RECONNECT_MS)  # noqa: S311 - spreads reconnects, hides nothing
        self.end(Close.GOING_AWAY, f"going away, reconnect after {wait} ms")

    # What the heartbeat and the fan-out call.

    def send(self, frame: bytes) -> None:
        """Send a frame that must arrive; a client that lets more than 1 MiB wait is closed."""
        if self._closing:
            return
        self._outbox.send(frame)
        if self._outbox.full:  # not at once: the caller is going through all followers, of whom this one must not leave
            self._loop.call_soon(self.end, Close.SLOW, "more than 1 MiB waits for you")

    def offer(self, key: object, frame: bytes) -> None:
        """Send a frame that a later one of the same key replaces."""
        if not self._closing:
            self._outbox.offer(key, frame)

    def withdraw(self, key: object) -> None:
        """Forget the offered frame of a key."""
        self._outbox.withdraw(key)

    def check(self, now: float) -> None:
        """Ping in time; end the connection when nothing is taken or no ping answered."""
        if self._closing or self._session is None:
            return
        if self._outbox.stalled(now):
            self.end(Close.SLOW, "nothing was taken for 5 seconds")
        elif self._listening and self._last_frame_at < self._last_ping_at < now - PONG_SECONDS:
            self.end(Close.NO_PONG, "a ping was not answered within 8 seconds")
        elif now - self._last_ping_at >= PING_SECONDS:
            self._last_ping_at = now
            self._outbox.send(PING)

    def end(self, code: Close, reason: str) -> None:
        """Close with a code: at once if the client takes it, else without waiting for it much longer."""
        if self._closing:
            return
        self._closing = True
        self._listen(True)
        CLOSED.labels(code.name.lower()).inc()
        if self._session:
            self._session.close()
        self._outbox.clear()
        if self._wire.state is State.OPEN:
            self._wire.send_close(code, reason)
        self._leave(self._wire.data_to_send())

    def _leave(self, last: list[bytes]) -> None:
        """Write the last words and wait a little for the client to hang up: closing first could destroy them."""
        self._closing = True
        for data in last:
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():
                self._transport.write_eof()
        self._loop.call_later(CLOSING_SECONDS, self._transport.abort)

    # Incoming.

    def _listen(self, go_on: bool) -> None:
        if go_on != self._listening and not self._transport.is_closing():
            self._listening = go_on
            (self._transport.resume_reading if go_on else self._transport.pause_reading)()

    def _shake_hands(self, request: Request) -> None:
        secure = self._transport.get_extra_info("sslcontext") is not None
        response = self._wire.accept(request)
        no = refusal(request, response, self._state["settings"].allowed_origins, secure=secure)
        if no is None and not self._guests.admit(self, self._address):
            no = too_many(self._guests.per_address)
        if no is not None:
            self._leave([no])
            self._transport.close()
            return
        self._wire.send_response(response)
        hub, reader, badges = self._state["hub"], self._state["reader"], self._state["badges"]
        self._session = Session(hub, reader, self._outbox, self, self._listen, badges)
        if token := bearer(request):
            self._session.receive(rpc.notification("authenticate", {"token": token}))

    def _take(self, frame: Frame) -> None:
        self._last_frame_at = now = self._loop.time()
        if now - self._second >= 1.0:
            self._second, self._frames = now, 0
        self._frames += 1
        if self._frames > FRAMES_PER_SECOND:
            self._too_fast()
        elif frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._binary = frame.opcode is Opcode.BINARY or (frame.opcode is Opcode.CONT and self._binary)
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message, self._parts = b"".join(self._parts), []
                self._message(message)

    def _message(self, message: bytes) -> None:
        if self._binary:
            self.end(Close.UNSUPPORTED, "send JSON as text, not as binary messages")
        elif not self._allowance.take(self._last_frame_at):
            self._too_fast()
        elif not _is_text(message):
            self.end(Close.INVALID_TEXT, "not UTF-8")
        elif self._session:
            self._session.receive(message)

    def _too_fast(self) -> None:
        why = f"at most {MESSAGES_PER_SECOND} messages a second, after {BURST} at once"
        self._outbox.send(text_frame(rpc.error(rpc.RpcError(rpc.TOO_FAST, why))))
        self.end(Close.TOO_FAST, why)

    def _flush(self) -> None:
        """Write what the protocol itself has to say: the handshake, pongs, and its end."""
        out = self._wire.data_to_send()
        if self._transport.is_closing():
            return
        if b"" not in out:
            for data in out:
                self._outbox.send(data)
        elif self._closing or self._wire.close_rcvd:
            self._leave(out[:-1])
            self._transport.close()
        else:
            self._leave(out)


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
