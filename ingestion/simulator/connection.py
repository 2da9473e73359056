"""One WebSocket client of the simulator: frames are joined and written when the loop has a moment."""

import asyncio
import socket
import struct
import time

from aiohttp import web

from ingestion.simulator import frame as frames
from ingestion.simulator.limits import ConnectionLimits

MOST_BYTES = 64 << 20
"""A client that leaves more than this unread is cut."""
HIGH_WATER = 1 << 20
RETRY_SECONDS = 0.002


class Client:
    """A connection; see dialect.Connection."""

    def __init__(self, request: web.Request, exchange: str, market: str, limits: ConnectionLimits) -> None:
        """Take over an accepted WebSocket."""
        self.exchange = exchange
        self.market = market.rstrip("+")
        self.combined = market.endswith("+")
        self.address = request.remote or ""
        self.keys: set[str] = set()
        self.limits = limits
        self.silent = False  # half-open: nothing goes out
        self.mute = False  # no data, but pongs
        self.closing = False
        self.opened = self.active = self.pinged = self.ponged = time.monotonic()
        self._transport = request.transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._size = 0
        self._flushing = False

    def send(self, text: str) -> None:
        """Queue a text frame."""
        self.write(frames.frame(text.encode()))

    def publish(self, key: str, payload: bytes, wire_frame: bytes) -> None:
        """Queue data of a stream; `whole` is the payload in its frame."""
        if self.mute:
            return
        if self.combined:
            wire_frame = frames.frame(b'{"stream":"%s","data":%s}' % (key.encode(), payload))
        self.write(wire_frame)

    def write(self, wire_frame: bytes) -> None:
        """Queue a frame as it is."""
        if self.silent or self.closing:
            return
        self._waiting.append(wire_frame)
        self._size += len(wire_frame)
        if self._size > MOST_BYTES:
            self.abort()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is None or self._transport.is_closing() or not self._waiting or self.silent:
            return
        if self._unsent() > HIGH_WATER:
            self._flushing = True
            self._loop.call_later(RETRY_SECONDS, self._flush)
            return
        self._transport.write(b"".join(self._waiting))
        self._waiting.clear()
        self._size = 0
        self.active = time.monotonic()

    def _unsent(self) -> int:
        gone = self._transport is None or self._transport.is_closing()
        return 0 if gone else self._transport.get_write_buffer_size()  # type: ignore[union-attr]  # gone says so

    @property
    def queued(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._size + self._unsent()

    def close(self, code: int, reason: str = "") -> None:
        """Close in an orderly way after what is queued; cut it when the client does not answer within a second."""
        self.write(frames.close(code, reason))
        self.closing = True
        self._loop.call_later(1.0, self.abort)

    def abort(self, *, reset: bool = False) -> None:
        """Cut the connection: FIN and no close frame, or RST."""
        if self._transport is None or self._transport.is_closing():
            return
        if reset:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
